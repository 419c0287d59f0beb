"""Schedules: experiments repeated by cron expression and time zone, each firing once."""
