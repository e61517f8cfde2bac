"""Says what an operation costs before it runs, in points: a point is about a hundred-thousandth of a second of a web process.

The prices are what each kind of work was measured to take, within twice as much: `make bench ARGS=prices` measures them again.
What PostgreSQL does for a command is guessed. `make bench ARGS=hostile` shows whether they do what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import iscoroutinefunction, unwrap
from typing import Any, Final

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

OPERATION: Final = 40
"""Every request: reading it, finding out who asks, answering."""

MESSAGE: Final = 5
"""A message over a WebSocket, whatever it says: reading it, and doing what it says besides running an operation."""

HUNG_UP: Final = 50
"""Being hung up on for frames that say nothing: reading as many of them as nobody pays for."""

SUBSCRIBED: Final = 60
"""Beginning to follow something, or a conversation: it is looked up, and whether it may be seen."""

ANSWER: Final = 5
"""An answer of a stream, beyond the objects in it: finding out what it is about, executing, printing."""

FRAME: Final = 3
"""Sending an answer of a stream to one of those who get it."""

STATEMENT: Final = 30
"""A statement that a field asks PostgreSQL, once for all objects of its level."""

COUNT: Final = 100
"""Counting up to ten thousand rows."""

OBJECT: Final = 1
"""An object of the answer with its plain fields."""

MUTATION: Final = 150
"""A command: reading, deciding, writing."""

READ_ONCE: Final = 100
CHARACTERS_A_POINT: Final = 2
"""What reading an unknown document costs: 1 ms, and 5 ms for each thousand characters."""

COMPILED: Final = 8
"""Compiling a field of an operation, which is paid by what its uses cost."""

REFUSED: Final = 500
"""Finding out that an operation asks for too much: that may take as long as doing some of it."""

ENTRY: Final = 1
"""An entry of a list in the arguments: a word, an identifier, and any object for which nothing else is said."""

AGAIN: Final = 0.3
"""A plain field under a name of its own, for each object: by other names it can be asked for fifty times."""

DEAR: Final[Mapping[str, int]] = {
    "Contract.allowedActions": 40,
    "Milestone.allowedActions": 10,
    "Contract.nextDeadline": 30,
    "Milestone.nextDeadline": 30,
    "Query.preview": 200,
    "Query.reviewPlan": 50,
    "Query.__schema": 100,
    "Query.__type": 20,
    "EventType.schema": 1,
    "Subscription.events": SUBSCRIBED,
    "Subscription.changes": SUBSCRIBED,
    "Subscription.contractUpdated": SUBSCRIBED + STATEMENT,
    "Subscription.milestoneUpdated": SUBSCRIBED + STATEMENT,
    "Subscription.deliveryUpdated": SUBSCRIBED + STATEMENT,
}
"""Fields for which more is done than an object is worth. What is followed is looked up again for each answer, but for events."""

LENGTHS: Final[Mapping[tuple[str, str], float]] = {("Query", "eventTypes"): 100}
"""How many entries the lists have that are the same for everybody, rounded up."""

COUNTED: Final = frozenset({"totalCount", "hasMoreThanTotalCount"})
"""Fields of each connection that count the whole list."""

WHOLE: Final = frozenset({"Contract.allowedActions", "Milestone.allowedActions"})
"""Those of them whose price is that of all that is in them."""

DEAR_OBJECTS: Final[Mapping[str, int]] = {"Event": 3}
"""Types whose objects take more than `OBJECT`."""

LIGHT: Final[Mapping[str, float]] = {"Contract": 0.5, "Milestone": 0.5, "Money": 0.5}
"""What part of its price an object keeps a process busy for, of types that are nearly always answered from rows: where a
page of them is asked for, a point was measured to be 3 µs, and with whole objects up to 10."""

INTROSPECTED: Final = 2
"""A type, a field or an argument of the schema, which graphql-core tells."""

DEAR_ENTRIES: Final[Mapping[str, int]] = {"Query.preview": 11, "Query.reviewPlan": 11}
"""What an object in a list of the arguments costs where much is done with each; mutations have `MUTATION_ENTRY`."""

MUTATION_ENTRY: Final = 20
"""A milestone of a plan, an attachment: what is decided about, written and sealed one by one."""

BYTES_FREE: Final = 16_000
BYTES_A_POINT: Final = 250
"""What the body of a request costs that is longer, before it is read: 40 µs for each thousand bytes, since texts are read,
checked, copied and sealed."""

Inputs = Mapping[tuple[str, int], int]
"""How often each variable is used at each price for an object in a list."""


def of_reading(text: str) -> int:
    """What parsing and validating a document costs that nobody has sent before."""
    return READ_ONCE + len(text) // CHARACTERS_A_POINT


def of_bytes(length: int) -> int:
    """What reading the JSON of a request costs that has so many bytes."""
    return length // BYTES_A_POINT if length > BYTES_FREE else 0


def of_field(parent: GraphQLObjectType | GraphQLInterfaceType, name: str, *, is_mutation: bool) -> int:
    """What a field costs each time, without the objects that it answers with."""
    if is_beside(parent, name):
        return COUNT
    return DEAR.get(f"{parent.name}.{name}", MUTATION if is_mutation else 0)


def is_beside(parent: GraphQLObjectType | GraphQLInterfaceType, name: str) -> bool:
    """Whether a field of a connection is about its list, and not about an entry of the page."""
    return name in COUNTED and parent.name.endswith("Connection")


def asks(field: GraphQLField) -> bool:
    """Whether a field is answered by waiting for somebody else, which is PostgreSQL: its function is a coroutine's."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    resolver = getattr(definition, "base_resolver", None)
    return resolver is not None and _waits(resolver.wrapped_func)


@lru_cache(maxsize=1_000)
def _waits(resolver: Callable[..., Any]) -> bool:
    return iscoroutinefunction(unwrap(resolver))


def of_object(type_name: str) -> int:
    """What an object of a type costs with its plain fields."""
    return DEAR_OBJECTS.get(type_name, INTROSPECTED if type_name.startswith("__") else OBJECT)


def time_of_object(type_name: str) -> float:
    """For how long an object of a type keeps a process busy, in points of ten microseconds."""
    return of_object(type_name) * LIGHT.get(type_name, 1.0)


def of_entry(parent: GraphQLObjectType | GraphQLInterfaceType, name: str, *, is_mutation: bool) -> int:
    """What an object in a list of a field's arguments costs."""
    return MUTATION_ENTRY if is_mutation else DEAR_ENTRIES.get(f"{parent.name}.{name}", ENTRY)


def of_literals(node: FieldNode, entry: int) -> int:
    """What the lists cost that are written out in the arguments of a field, at that price for an object."""
    return sum(_of_literal(argument.value, entry) for argument in node.arguments or ())


def variables_in(node: ArgumentNode | ValueNode) -> list[str]:
    """The variables in an argument, each as often as it stands there."""
    if isinstance(node, ArgumentNode):
        return variables_in(node.value)
    if isinstance(node, VariableNode):
        return [node.name.value]
    if isinstance(node, ListValueNode):
        return [name for value in node.values for name in variables_in(value)]
    if isinstance(node, ObjectValueNode):
        return [name for field in node.fields for name in variables_in(field.value)]
    return []


def of_variables(variables: Mapping[str, Any], inputs: Inputs, defaults: Inputs) -> int:
    """What the lists in the variables cost, and those of their defaults where the request says nothing."""
    return sum(
        uses * (_of_value(variables[name], entry) if name in variables else defaults.get((name, entry), 0))
        for (name, entry), uses in inputs.items()
    )


def of_defaults(operation: OperationDefinitionNode, inputs: Inputs) -> Inputs:
    """What the lists cost that variables are by default, at each price for an object that they are used at."""
    defaults = {
        one.variable.name.value: one.default_value
        for one in operation.variable_definitions or ()
        if one.default_value is not None
    }
    return {(name, entry): _of_literal(defaults[name], entry) for name, entry in inputs if name in defaults}


def _of_value(value: Any, entry: int) -> int:
    """However deep it is nested: JSON may be deeper than Python calls functions."""
    found, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            found += sum(entry if isinstance(inner, dict) else ENTRY for inner in one)
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
    return found


def _of_literal(value: ValueNode, entry: int) -> int:
    if isinstance(value, ListValueNode):
        return sum(
            (entry if isinstance(one, ObjectValueNode) else ENTRY) + _of_literal(one, entry) for one in value.values
        )
    if isinstance(value, ObjectValueNode):
        return sum(_of_literal(field.value, entry) for field in value.fields)
    return 0
