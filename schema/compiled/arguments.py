"""Coerces the arguments of a field: what doesn't depend on variables once, the rest by looking the variables up."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import Any, Final

from graphql import FieldNode, GraphQLField, GraphQLNonNull, ListValueNode, ObjectValueNode, Undefined, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from graphql.type import is_required_argument

IMMUTABLE: Final = (
    str,
    int,
    float,
    type(None),
    enum.Enum,
    dt.date,
    dt.timedelta,
    uuid.UUID,
    decimal.Decimal,
)
"""Values of these classes can be handed to any number of resolvers."""


class Arguments:
    """The arguments of one field."""

    __slots__ = ("_definition", "_fixed", "_nested", "_node", "_variables", "is_constant")

    def __init__(self, definition: GraphQLField, node: FieldNode) -> None:
        self._definition, self._node = definition, node
        self._fixed: dict[str, Any] | None = None
        self._nested: tuple[str, ...] = ()
        """Those of the fixed ones that are lists or input objects: each resolver gets its own."""
        self._variables: tuple[tuple[str, str, bool, Any], ...] | None = None
        """Where each argument is a variable of its own or fixed: name, variable, whether null is refused, default."""
        self.is_constant = False
        self._prepare()

    def _prepare(self) -> None:
        given = {one.name.value: one.value for one in self._node.arguments or ()}
        variables = {name: value.name.value for name, value in given.items() if isinstance(value, VariableNode)}
        if any(_has_variable(value) for name, value in given.items() if name not in variables):
            return
        bare = FieldNode(
            name=self._node.name,
            arguments=tuple(one for one in self._node.arguments or () if one.name.value not in variables),
        )
        self._fix(variables, bare)

    def _fix(self, variables: dict[str, str], bare: FieldNode) -> None:
        """Coerce what is fixed, defaults included, as graphql-core does."""
        definitions = self._definition.args
        required = {name for name in variables if is_required_argument(definitions[name])}
        rest = GraphQLField(self._definition.type, {k: v for k, v in definitions.items() if k not in required})
        try:
            fixed = get_argument_values(rest, bare, VariableValues({}, {}))
        except Exception:  # noqa: BLE001 - it is raised again, with its place, whenever the operation runs
            return
        if not all(map(_can_be_copied, fixed.values())):
            return
        self._fixed = fixed
        self._nested = tuple(name for name, value in fixed.items() if not isinstance(value, IMMUTABLE))
        self._variables = tuple(
            (definitions[name].out_name or name, variable, isinstance(definitions[name].type, GraphQLNonNull),
             fixed.get(definitions[name].out_name or name, Undefined))
            for name, variable in variables.items()
        )  # fmt: skip
        self.is_constant = not variables

    def values(self, variables: VariableValues) -> dict[str, Any]:
        """The arguments by the names that the resolver knows. Raises whatever graphql-core raises, without its details."""
        if self._fixed is None or self._variables is None:
            return get_argument_values(self._definition, self._node, variables)
        found, coerced = self._fixed.copy(), variables.coerced
        for name in self._nested:
            found[name] = _copy(found[name])
        for name, variable, refuses_null, default in self._variables:
            value = coerced.get(variable, default)
            if value is Undefined:
                if refuses_null:
                    raise TypeError("a required argument is missing")
            elif value is None and refuses_null:
                raise TypeError("a required argument is null")
            else:
                found[name] = value
        return found


def _can_be_copied(value: Any) -> bool:
    if value.__class__ is dict:
        return all(map(_can_be_copied, value.values()))
    return all(map(_can_be_copied, value)) if value.__class__ is list else isinstance(value, IMMUTABLE)


def _copy(value: Any) -> Any:
    """The same lists and input objects, which their resolver may change; what they hold in the end can't be changed."""
    if value.__class__ is dict:
        return {name: _copy(one) for name, one in value.items()}
    return [_copy(one) for one in value] if value.__class__ is list else value


def arguments_of(definition: GraphQLField, node: FieldNode) -> Arguments:
    """What coerces the arguments of this field."""
    return Arguments(definition, node)


def _has_variable(value: Any) -> bool:
    if isinstance(value, ListValueNode):
        return any(_has_variable(one) for one in value.values)
    if isinstance(value, ObjectValueNode):
        return any(_has_variable(one.value) for one in value.fields)
    return isinstance(value, VariableNode)
