"""The process that delivers: a role of its own in the database, the secrets, and the only way out."""
