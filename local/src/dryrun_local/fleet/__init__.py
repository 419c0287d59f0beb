"""The operator's file of a fleet: lists its hosts, and drains them for maintenance."""
