"""The connection pool, the tables and their migrations, and values made fit to be stored."""
