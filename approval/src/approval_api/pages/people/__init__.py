"""People, their roles, tokens and invitations."""
