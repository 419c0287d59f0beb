"""Scores of findings against the ground truth. Pure: no database, no HTTP."""
