"""Who a request comes from, whether they may, and how much at once: what every route declares."""
