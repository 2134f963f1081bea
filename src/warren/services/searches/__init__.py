"""Standing searches: queries that are kept, and asked again, so that what is new is told and fetched."""
