"""Yamux 1.0.0: `frames` (the header), `stream` (flow control of one stream), `session` (the connection)."""
