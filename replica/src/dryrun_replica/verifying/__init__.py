"""Verifies ground truth from inside a stand-in; shares no code with what builds or scans it."""
