"""Queries between super-peers, and what steers them, from peer to peer."""
