"""Content as a graph: dag-pb nodes, UnixFS data, the profile unixfs-v1-2025. No IO, clock or chance."""
