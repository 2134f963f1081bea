"""Kademlia: who is near a key, values that prove themselves, and who provides what."""
