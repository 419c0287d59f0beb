"""HTTP plumbing that knows no domain: problems, cursors, rate limits, headers, compressed documents."""
