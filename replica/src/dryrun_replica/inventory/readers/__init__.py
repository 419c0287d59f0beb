"""One module for each format: it reads bytes of a file into findings, and knows no other format."""
