"""The pricing models, one a file, which says all that is particular to it. ``billing.rating.table`` lists them."""
