"""CBIS-DDSM: case tables, path fixing, and telling crops from masks; its two readers lie above."""
