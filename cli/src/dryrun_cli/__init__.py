"""The command line of people who run dry-runs: a client of the approval API."""

__version__ = "0.1.0"
