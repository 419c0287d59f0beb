"""Signing in and out: by password, by invitation, at a provider."""
