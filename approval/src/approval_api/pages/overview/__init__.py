"""What runs, what waits, and how the last sessions came out."""
