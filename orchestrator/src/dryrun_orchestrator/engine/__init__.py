"""Docker Engine behind one narrow protocol, and a fake of it."""
