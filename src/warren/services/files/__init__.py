"""Files: sharing folders from where they lie, and fetching what others share."""
