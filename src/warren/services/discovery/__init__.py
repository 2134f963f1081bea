"""Discovery: how nodes that do not know each other yet find each other."""
