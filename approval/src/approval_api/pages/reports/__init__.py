"""A session's report, and two side by side."""
