"""Giving a file to who was told a short code: the code, the proof, the limit on guesses, who sends where."""
