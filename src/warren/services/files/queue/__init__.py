"""The queue of transfers: what is to be fetched, what of it runs now, and what becomes of it."""
