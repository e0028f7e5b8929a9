"""The demo: a workspace with a year of usage, and what there is to be known of it."""

from usage.demo.story import ROLES, facts, find, load

__all__ = ["ROLES", "facts", "find", "load"]
