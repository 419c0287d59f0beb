"""What an operator installs: allowlist, collector manifests, templates. Read once, all problems at once."""
