"""The pricing models, each defined in one file. ``billing.rating.table`` lists them."""
