"""The report as its reader sees it, before any output format."""
