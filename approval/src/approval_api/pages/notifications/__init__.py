"""The page of one's own channels."""
