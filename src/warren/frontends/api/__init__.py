"""The local HTTP API: what the command line and other programs of the same user talk to."""
