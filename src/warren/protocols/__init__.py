"""The libp2p protocols, one module or package each; siblings never import one another."""
