"""LLMstudio's engine API."""
