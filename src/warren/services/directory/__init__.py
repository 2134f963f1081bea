"""Super-peers: weak peers register with them what they share, and search there."""
