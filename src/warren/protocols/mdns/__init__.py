"""libp2p over multicast DNS: what is said on the link, and who is still there."""
