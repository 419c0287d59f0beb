"""Stand-ins: one image for each class of hosts, composed from recipes. Writes folders, runs nothing."""
