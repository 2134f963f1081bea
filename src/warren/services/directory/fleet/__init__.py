"""Super-peers that share one index and one presence through a store that all of them reach: Redis."""
