"""What a client may send: credentials, addresses; what must never be shown."""
