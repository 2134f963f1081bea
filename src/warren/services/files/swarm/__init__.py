"""One fetch from many holders: which pieces of whom, how much at once, and whom no longer."""
