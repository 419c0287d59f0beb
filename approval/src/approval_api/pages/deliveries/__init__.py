"""Pages of deliveries: destinations, what was sent, and one delivery from its preview on."""
