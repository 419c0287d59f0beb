"""Accounts: passwords, logins, tokens, invitations, and sign-in at an OpenID provider."""
