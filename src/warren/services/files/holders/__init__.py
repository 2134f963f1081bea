"""Who has what is to be fetched, and what was fetched as something that others can have from here."""
