"""Downloads, side by side with what people would use instead: the rows of `run.py bench transfers`."""
