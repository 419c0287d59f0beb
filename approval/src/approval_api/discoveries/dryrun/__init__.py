"""Discoveries of dry-runs: rows of `dryrun_discoveries`."""
