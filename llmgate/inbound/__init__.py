"""The client's connection."""
