"""The client's connection: admission, body rate, disconnects, keep-alives."""
