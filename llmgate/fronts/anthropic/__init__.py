"""The Messages API, served over chat."""
