"""Forecasts from several sessions, and forecasts beside the production runs that they were about."""
