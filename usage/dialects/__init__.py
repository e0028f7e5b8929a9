"""The table of dialects: the APIs of vendors and the native API. Each has an entry here and a folder of its name."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Dialect:
    """An API and its mount point.

    ``name`` is the name of its folder, the ``dialect`` of its usage records and the name of its page below ``/docs/``.
    Paths begin with ``/vendor/below``; on a host that ``DIALECT_HOSTS`` assigns to ``vendor``, with ``/below``.
    """

    name: str
    title: str
    vendor: str
    below: str = ""

    @property
    def mount(self) -> str:
        """The prefix of the paths, without a slash at its start: ``salesbricks/api/v2/``."""
        return f"{self.vendor}/{self.below}"

    @property
    def urls(self) -> ModuleType:
        """The module of its URL patterns; importing it imports the views."""
        return import_module(f"{__name__}.{self.name}.urls")

    @property
    def graphql(self) -> Path:
        """The file of its GraphQL schema; APIs without one are described in OpenAPI."""
        return Path(__file__).parent / self.name / "schema.graphql"

    @property
    def speaks_graphql(self) -> bool:
        return self.graphql.exists()


# Dialects of one vendor share its hosts.
DIALECTS = (
    Dialect("piriod", "Piriod", vendor="piriod"),
    Dialect("salesbricks_v1", "Salesbricks v1", vendor="salesbricks", below="api/v1/"),
    Dialect("salesbricks_v2", "Salesbricks v2", vendor="salesbricks", below="api/v2/"),
    Dialect("rebilly", "Rebilly", vendor="rebilly"),
    Dialect("sequence", "Sequence", vendor="sequence", below="api/"),
    Dialect("native", "Arrears", vendor="api"),
)

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
VENDORS = tuple(dict.fromkeys(dialect.vendor for dialect in DIALECTS))

# The values of a record's ``dialect``: an API, or one of the two other intakes.
RECORDED_AS = ("panel", "file", *sorted(BY_NAME))
