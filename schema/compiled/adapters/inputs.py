"""Converts the arguments of Strawberry's fields as Strawberry does, with what it would ask of their types asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from strawberry.relay.types import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

Convert = Callable[[Any], Any]


class NotConverted(Exception):
    """A type that only Strawberry itself converts."""


class Inputs:
    """The converters for one schema."""

    def __init__(self, converter: Any) -> None:
        self._scalars, self._config = converter.scalar_registry, converter.config
        self._own = threading.local()

    @property
    def _objects(self) -> dict[Any, list[Any]]:
        """What this thread has made of input types: what another one makes just now isn't whole yet."""
        found: dict[Any, list[Any]] = self._own.__dict__.setdefault("objects", {})
        return found

    def of(self, arguments: list[StrawberryArgument]) -> Convert | None:
        """What converts these arguments; `None` if only Strawberry can."""
        name = self._config.name_converter.from_argument
        try:
            known = [(name(one), one.python_name, self._convert(one.type)) for one in arguments]
        except NotConverted:
            return None
        return lambda given: _given(given, known)

    def _convert(self, type_: Any) -> Convert:
        while isinstance(type_, StrawberryOptional | LazyType) and not isinstance(type_, StrawberryMaybe):
            type_ = type_.of_type if isinstance(type_, StrawberryOptional) else type_.resolve_type()
        if isinstance(type_, StrawberryList):
            return _list(self._convert(type_.of_type))
        if isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_):
            return _same
        if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
            raise NotConverted
        if is_scalar(type_, self._scalars):
            return _same
        return self._object(type_)

    def _object(self, type_: Any) -> Convert:
        definition = type_.__strawberry_definition__ if has_object_definition(type_) else None
        if definition is None or not definition.is_input or getattr(definition, "from_input", None) is not None:
            raise NotConverted
        fields = self._objects.get(type_)
        if fields is None:
            self._objects[type_] = fields = []  # which a type that has itself as a field meets again
            try:
                fields.extend(self._field(one, definition) for one in definition.fields)
            except NotConverted:
                del self._objects[type_]
                raise
        missing = [one for one in definition.fields if one.default_value is MISSING and one.default_factory is MISSING]
        blank = {one.python_name: None for one in missing}

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            return type_(**(blank | _given(value, fields)))

        return convert

    def _field(self, field: Any, definition: Any) -> tuple[str, str, Convert]:
        name = self._config.name_converter.from_field(field)
        return name, field.python_name, self._convert(field.resolve_type(type_definition=definition))


def _given(value: Any, fields: list[tuple[str, str, Convert]]) -> dict[str, Any]:
    return {to: convert(value[key]) for key, to, convert in fields if key in value}


def _same(value: Any) -> Any:
    return value


def _list(convert: Convert) -> Convert:
    def converted(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return list(value) if convert is _same else [convert(item) for item in value]

    return converted
