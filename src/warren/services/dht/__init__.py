"""The DHT as a user meets it: what this node publishes, finds, and keeps for others."""
