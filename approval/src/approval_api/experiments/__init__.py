"""Experiments: sessions planned over several axes, run through the queue, and compared."""
