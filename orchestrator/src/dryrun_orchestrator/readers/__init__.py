"""Translates the output of other people's scanners into the contract's lines, in a process without rights."""
