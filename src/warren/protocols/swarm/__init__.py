"""The swarm of a content: peers that have it, whole or in part, tell each other what they have."""
