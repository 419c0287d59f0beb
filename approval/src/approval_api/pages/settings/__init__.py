"""How this deployment is set up."""
