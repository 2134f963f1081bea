"""How the node is doing: gathered once, for operators and for other peers."""
