"""Chat over OpenAI's Responses API, for models and servers that have no other."""
