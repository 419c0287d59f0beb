"""What an operator installs: allowlist, collector manifests, templates. All problems are reported at once."""
