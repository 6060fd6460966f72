"""Arrays in, arrays out: breast, geometry, intensity, and `pipeline` with their order."""
