"""Google's wire format."""
