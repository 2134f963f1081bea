"""Measures Warren beside plain sockets, other libp2p libraries and the tools people copy files with."""
