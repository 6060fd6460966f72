"""Data sets from elsewhere: downloaded with a checksum, unpacked without trust."""
