"""Coerces the variables of an operation by functions made once for each input type.

They know the values that are right as they stand. At anything else they give up, and graphql-core coerces all variables
itself: its errors are the answer, or its values if it finds the value right after all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.type import is_required_input_field
from graphql.utilities.coerce_input_value import coerce_default_value

from schema.compiled.leaves import Unusual

ERRORS_MAX: Final = 50
"""As many as graphql-core's executor reports."""

Coerce = Callable[[Any], Any]

_EXACT: Final[dict[Any, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


class Coercers:
    """The functions of one schema, by type."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._made: dict[str, Coerce | None] = {}

    def of(self, type_: Any) -> Coerce:
        """What coerces a value of the type, or raises `Unusual`."""
        name = str(type_)
        if name not in self._made:
            self._made[name] = None  # a type that holds itself is left to graphql-core, which looks at the depth
            self._made[name] = self._make(type_)
        return self._made[name] or _unusual

    def _make(self, type_: Any) -> Coerce:
        if isinstance(type_, GraphQLNonNull):
            return _required(self.of(type_.of_type))
        if isinstance(type_, GraphQLList):
            return _list(self.of(type_.of_type))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_)
        if isinstance(type_, GraphQLEnumType):
            return _enum(type_)
        if type_ is GraphQLInt:
            return _int
        return _exactly(_EXACT[type_]) if type_ in _EXACT else _leaf(type_)

    def _object(self, type_: GraphQLInputObjectType) -> Coerce:
        if type_.is_one_of:
            return _unusual
        fields = {name: self.of(one.type) for name, one in type_.fields.items()}
        names = {name: one.out_name or name for name, one in type_.fields.items()}
        required = {name for name, one in type_.fields.items() if is_required_input_field(one)}
        others = [(name, one) for name, one in type_.fields.items() if name not in required]
        make = type_.out_type

        def coerce(value: Any) -> Any:
            if value is None:
                return None
            if value.__class__ is not dict or not required <= value.keys() <= fields.keys():
                raise Unusual
            found = {}
            for name, one in type_.fields.items():
                if name in value:
                    found[names[name]] = fields[name](value[name])
                elif (default := coerce_default_value(one)) is not Undefined:
                    found[names[name]] = default
            return make(found)

        return coerce if others or required else _unusual


class Known(VariableValues):
    """Values that were right as they stood. What they came from is looked up when somebody asks for it, which few do:
    graphql-core does for variables within the literal of a scalar."""

    __slots__ = ()

    @property
    def sources(self) -> dict[str, VariableValueSource]:
        given, signatures = cast("tuple[Mapping[str, Any], list[GraphQLVariableSignature]]", self[0])
        return {one.name: VariableValueSource(one, given.get(one.name, Undefined)) for one in signatures}


_NOTHING: Final = Known(({}, []), {})  # type: ignore[arg-type] # as below


class Variables:
    """The variables of one operation."""

    def __init__(self, operation: OperationDefinitionNode, coercers: Coercers) -> None:
        self._schema = coercers.schema
        self._definitions = operation.variable_definitions or ()
        self._known: list[tuple[str, Coerce, bool]] = []
        self._signatures: list[GraphQLVariableSignature] = []
        self._has_defaults = False
        for one in self._definitions:
            signature = get_variable_signature(self._schema, one)
            if isinstance(signature, GraphQLError):
                raise signature  # validation has refused such operations before
            self._signatures.append(signature)
            self._has_defaults = self._has_defaults or one.default_value is not None
            self._known.append(
                (signature.name, coercers.of(signature.type), isinstance(signature.type, GraphQLNonNull))
            )

    def values(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """The values by name with what they came from, or graphql-core's errors."""
        if not self._definitions:
            return _NOTHING
        try:
            return Known((given, self._signatures), self._coerced(given))  # type: ignore[arg-type] # as it reads them
        except Exception:  # noqa: BLE001 - also where a scalar of the application fails: graphql-core says how
            return get_variable_values(self._schema, self._definitions, dict(given), max_errors=ERRORS_MAX)

    def _coerced(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, coerce, is_required in self._known:
            if name in given:
                found[name] = coerce(given[name])
            elif is_required or self._has_defaults:
                raise Unusual
        return found


def _unusual(value: Any) -> Any:
    raise Unusual


def _required(coerce: Coerce) -> Coerce:
    def required(value: Any) -> Any:
        if value is None:
            raise Unusual
        return coerce(value)

    return required


def _list(coerce: Coerce) -> Coerce:
    def items(value: Any) -> Any:
        if value is None:
            return None
        if value.__class__ is not list:
            raise Unusual
        return [coerce(item) for item in value]

    return items


def _exactly(cls: type) -> Coerce:
    def exactly(value: Any) -> Any:
        if value.__class__ is cls or value is None:
            return value
        raise Unusual

    return exactly


def _int(value: Any) -> Any:
    if value is None or (value.__class__ is int and -(2**31) <= value < 2**31):
        return value
    raise Unusual


def _enum(type_: GraphQLEnumType) -> Coerce:
    members = {}
    for name in type_.values:
        try:
            members[name] = type_.coerce_input_value(name)
        except Exception:  # noqa: BLE001, S112 - a member that can't be given: graphql-core says so
            continue

    def member(value: Any) -> Any:
        if value is None:
            return None
        if value.__class__ is not str or value not in members:
            raise Unusual
        return members[value]

    return member


def _leaf(type_: Any) -> Coerce:
    parse = type_.coerce_input_value

    def leaf(value: Any) -> Any:
        if value is None:
            return None
        parsed = parse(value)
        if parsed is Undefined:
            raise Unusual
        return parsed

    return leaf
