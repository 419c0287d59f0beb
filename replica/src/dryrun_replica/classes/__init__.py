"""Chooses which hosts of a network a template stands for."""
