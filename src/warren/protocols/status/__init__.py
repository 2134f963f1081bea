"""What a node tells of how it is doing, from peer to peer."""
