"""Pages: forecasts checked against production, and one check."""
