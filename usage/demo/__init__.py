"""The demo: a workspace with three months of usage, and the credentials and ids to try it."""

from usage.demo.data import ROLES, find
from usage.demo.facts import facts
from usage.demo.loading import load

__all__ = ["ROLES", "facts", "find", "load"]
