"""Sending files to whoever was told a code, and receiving them."""
