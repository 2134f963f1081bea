"""Who is online, by leases and fail votes, and whom the votes hold offline."""
