"""Whom to send to next, where the line is scarce, and what is being sent to whom."""
