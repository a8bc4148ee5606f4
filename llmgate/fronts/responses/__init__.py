"""The Responses API, served over chat."""
