"""Routes of the JSON API, one module for each noun. They call the domains and decide nothing themselves."""
