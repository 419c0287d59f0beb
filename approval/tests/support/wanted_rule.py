"""What an approval rule is made of, for tests that need one of any kind."""

RULE = {
    "name": "lab",
    "collectors": ["network"],
    "reporters": ["program:lab"],
    "kinds": ["service"],
    "subnets": ["192.0.2.0/24"],
    "min_confidence": 0.9,
}
