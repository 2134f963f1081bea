"""Peer exchange: signed records of peers, handed on to who does not know them yet."""
