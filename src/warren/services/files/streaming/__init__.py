"""Files that are read while they come."""
