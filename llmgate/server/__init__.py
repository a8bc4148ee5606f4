"""gunicorn: workers, settings, start-up checks."""
