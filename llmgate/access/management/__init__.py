"""What administrators do with keys, users and teams, in the fields of LiteLLM."""
