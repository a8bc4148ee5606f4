"""What a request body may contain."""
