"""The transfer protocol: listings, graphs and chunks by content id, pipelined, with raw payload."""
