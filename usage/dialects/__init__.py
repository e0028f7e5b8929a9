"""The APIs of vendors, and our own."""

import pkgutil

# What a record's dialect may be: by which API it came, or none.
NAMES = ("panel", "file", *(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))
