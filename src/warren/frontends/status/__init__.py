"""The status listener: facts, metrics and health of the node, read-only, for operators and their tools."""
