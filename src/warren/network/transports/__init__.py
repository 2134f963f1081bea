"""From multiaddrs to links; each transport implements `Transport` of `base`."""
