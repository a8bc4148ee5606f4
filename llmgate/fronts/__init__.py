"""Wire formats of our own endpoints, translated to chat."""
