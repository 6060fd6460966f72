"""Cases, pictures and traps of the CBIS-DDSM phantoms; their two writers lie above."""
