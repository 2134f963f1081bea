"""The inverted index of a super-peer: words to entries, entries to their holders."""
