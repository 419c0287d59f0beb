"""One's own account: password and tokens."""
