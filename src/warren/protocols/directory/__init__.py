"""The directory on the wire: who shares what, who is there, and queries."""
