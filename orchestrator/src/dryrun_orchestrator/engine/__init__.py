"""Docker Engine behind one narrow protocol."""
