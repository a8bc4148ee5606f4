"""Wire formats of one module each."""
