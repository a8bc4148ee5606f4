"""State shared by the workers of a machine."""
