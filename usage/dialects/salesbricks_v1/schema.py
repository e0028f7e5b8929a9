"""The vendor's types, from their own language; what they mean is said here and in ``mutations``."""

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
    # A scalar's language says nothing of its values: graphql-core expects them to be given a meaning afterwards.
    cast(GraphQLScalarType, schema.type_map["DateTime"]).parse_value = _moment  # type: ignore[method-assign]
    return schema


SCHEMA = _schema()
