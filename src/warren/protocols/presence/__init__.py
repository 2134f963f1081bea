"""Leases and fail votes, between a peer and its super-peers."""
