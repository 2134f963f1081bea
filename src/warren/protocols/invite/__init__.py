"""Becoming contacts by an invite code: the code, the proof, the limit on guesses, and the exchange."""
