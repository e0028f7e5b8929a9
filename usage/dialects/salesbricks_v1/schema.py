"""Build the schema from the vendor's types in ``schema.graphql``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from graphql import GraphQLScalarType, GraphQLSchema, build_schema

from usage.dialects.shared.fields import parse_moment_or_day, text_of

SDL = Path(__file__).with_name("schema.graphql").read_text()


def _moment(value: Any) -> datetime:
    return parse_moment_or_day(text_of(value), zone=UTC)


def _schema() -> GraphQLSchema:
    schema = build_schema(SDL)
    # The schema language cannot define a scalar's values: graphql-core expects a parser to be set afterwards.
    cast(GraphQLScalarType, schema.type_map["DateTime"]).parse_value = _moment  # type: ignore[method-assign]
    return schema


SCHEMA = _schema()
