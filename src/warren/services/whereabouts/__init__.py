"""Where this node is: what it listens on, and where others may reach it."""
