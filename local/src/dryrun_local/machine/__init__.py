"""What commands find here: the checkout and its state, its lock, and what the engine holds."""
