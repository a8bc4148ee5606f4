"""Ollama's API over chat and embeddings."""
