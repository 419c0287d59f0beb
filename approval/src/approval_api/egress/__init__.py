"""The only way out: requests to hosts that an administrator listed, at addresses that were judged."""
