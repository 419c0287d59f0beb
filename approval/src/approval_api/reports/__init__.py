"""Reports: built from a session and its events, kept, compared, and written in each format."""
