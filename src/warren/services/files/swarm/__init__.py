"""Fetching from many holders at once, and being one of them while the fetch runs."""
