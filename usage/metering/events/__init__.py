"""Events that match a brick's rule: filters, properties, and the ways to count them."""
