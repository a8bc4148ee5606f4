"""One request, from a valid body to the response."""
