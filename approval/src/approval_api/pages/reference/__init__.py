"""The reference of the API, rendered from its own OpenAPI document."""
