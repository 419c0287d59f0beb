"""The list of sessions, and one session: live while it runs, its record afterwards."""
