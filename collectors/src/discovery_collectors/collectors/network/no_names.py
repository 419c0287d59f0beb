"""Words that operators put where a server's name stands, so that it names nothing: `Server: sip`."""

_WORDS = frozenset(
    {
        "",
        "-",
        "api",
        "app",
        "application server",
        "backend",
        "confidential",
        "gateway",
        "generic",
        "hidden",
        "http",
        "http server",
        "https",
        "n/a",
        "nobody",
        "none",
        "not disclosed",
        "null",
        "private",
        "proxy",
        "redacted",
        "secret",
        "secure",
        "server",
        "service",
        "sip",
        "sip proxy",
        "sip server",
        "sips",
        "undefined",
        "undisclosed",
        "unknown",
        "web",
        "web server",
        "webserver",
        "www",
        "xxx",
    }
)
"""In lower case: protocols, what any server is, and refusals to tell. No word that a product is called by."""


def names_nothing(product: str) -> bool:
    """Return whether `product` is such a word, in any case of letters.

    >>> names_nothing("sip"), names_nothing("Web Server"), names_nothing("nginx")
    (True, True, False)
    """
    return product.strip().casefold() in _WORDS
