"""Scanners whose images are on this machine already: taken over without an image folder of one's own."""
