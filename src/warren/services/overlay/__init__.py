"""Super-peers that pass queries on: whom to ask, how far, and when it is enough."""
