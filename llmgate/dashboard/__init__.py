"""The dashboard at /ui: pages that the server renders, for administrators and holders of keys."""
