"""One session's life: a loop and its steps, each idempotent."""
