"""The terminal: messages, Ctrl-C, timings."""
