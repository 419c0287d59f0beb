"""Writes down that a credential was offered: by which protocol, for which user. Never the secret itself."""

MOST_CHARACTERS = 64


def offered(protocol: str, user: bytes, form: str, peer: str) -> None:
    """Log one offer. What a client says of itself cannot begin a line of its own."""
    name = user.decode("utf-8", "replace")[:MOST_CHARACTERS]
    shown = "".join(each if each.isprintable() and each not in "'\\" else "?" for each in name)
    print(f"credential offered by {peer}: {protocol}, user '{shown}', {form}", flush=True)
