"""Groups: sets of contacts under a name, for audiences."""
