"""Which deployment gets a request."""
