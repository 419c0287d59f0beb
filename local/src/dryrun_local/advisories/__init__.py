"""Known vulnerabilities of the pinned packages, compared offline: `make audit`."""
