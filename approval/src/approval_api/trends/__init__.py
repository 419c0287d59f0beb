"""Trends: what sessions and schedules measured over time, read from what reports and results keep."""
