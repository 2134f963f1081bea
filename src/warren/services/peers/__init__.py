"""The peer table: who is out there, where, how near and how fast, as far as this node knows."""
