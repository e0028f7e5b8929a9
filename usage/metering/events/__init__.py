"""Events that match a brick's rule: filters, properties and aggregations."""
