"""Reads what an operator knows of a network, from files of others, into one model."""
