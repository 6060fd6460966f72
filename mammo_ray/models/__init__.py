"""Networks, one a file, and the bundle that a trained one travels in."""
