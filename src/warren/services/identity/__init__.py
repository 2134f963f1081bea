"""Who this node is: its key, and the data folder that is its alone."""
