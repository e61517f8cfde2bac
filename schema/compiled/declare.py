"""What resolvers and types may say of themselves, so that compiled operations run faster: batches, projections, selections.

None of it changes what graphql-core does with the same schema: there every declaration is passed over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

BATCH: Final = "__compiled_batch__"
"""The attribute of a resolver, or the key in a field's `extensions`, that holds its `Batch`."""

PROJECTION: Final = "__compiled_projection__"
"""The attribute of a class, or the key in an object type's `extensions`, that holds its `Projection`."""

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

Load = Callable[..., Awaitable[Sequence[Any]]]
"""`load(parents, context, **arguments)`: one value, or one exception instance, for each parent, in their order."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What an operation selects of a type with a projection: known when the operation is compiled, equal if the same.

    It counts wherever the type is reached from the resolver's field through plain attributes, such as `nodes` and
    `edges.node` of a connection. `@skip` and `@include` are already taken into account.
    """

    type: str
    """The name of the GraphQL object type, or of an interface whose rows tell their type."""
    fields: frozenset[str]
    """Its selected fields by their GraphQL names: those that the projection reads, and those whose batches take rows. Of an
    interface those of all its types, and `TYPENAME` if they have to be told apart."""
    below: frozenset[tuple[str, Selected]] = frozenset()
    """By those names, what is selected below batches, and attributes, that rows may answer, so that they can be read
    together."""

    def below_field(self, name: str) -> Selected | None:
        """What is selected below a field of this name; `None` if rows can't answer it, or if it comes with two selections."""
        return dict(self.below).get(name)


@dataclass(frozen=True, slots=True)
class Batch:
    """How the values of a field are had for all parents of a level at once."""

    load: Load
    selects: bool = False
    """Whether `load` takes the keyword `selected`: a `Selected` if it may answer with rows, else `None`."""
    beside: bool = False
    """Whether `load` takes the keyword `beside`: what is selected of the parents, so that batches can read together."""
    alone: bool = False
    """Whether `load` takes the keyword `alone`: whether nothing else of the operation is resolved at the same time."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An expression over `row` that is already what the answer says; only null is looked for."""

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """How the fields of an object type are read from rows that stand for its objects.

    A resolver answers with rows only if it was given a `Selected`; then the operation selects nothing else of the type.
    """

    rows: tuple[type, ...]
    """The classes of rows. Other values are objects of the type, as ever; both may stand in one list."""
    fields: Mapping[str, str | Ready]
    """For each GraphQL field that a row can answer, a Python expression over `row`: `row["title"]`.

    Its value is what the attribute of an object would be, and is completed as that is; `Ready` skips the serialiser.
    """
    names: Mapping[str, Any] = field(default_factory=dict)
    """What the expressions may name beside `row`."""
    batches: frozenset[str] = frozenset()
    """GraphQL fields with a `Batch` whose `load` takes rows among its parents."""
    type_of: Callable[[Any], str] | None = None
    """Of an interface: the name of the object type that a row stands for an object of. Each of those types has a projection of
    its own, for the same rows, and answers the interface's fields as all others do."""


TYPENAME: Final = "__typename"
"""Among the fields that are selected of an interface: it has to be known of which type each object is."""


def batched(
    load: Load, *, selects: bool = False, beside: bool = False, alone: bool = False
) -> Callable[[Resolver], Resolver]:
    """Give a resolver a batch: compiled operations call `load` once per level of the operation instead of the resolver.

    The resolver below it stays what graphql-core calls; both must give the same values. What wraps the resolver must wrap
    the batch, too: compiled operations call `load` and nothing else.
    """

    def declare(resolver: Resolver) -> Resolver:
        setattr(resolver, BATCH, Batch(load, selects, beside, alone))
        return resolver

    return declare


def project(cls: type, projection: Projection) -> None:
    """Let rows stand for the objects of a class in compiled operations."""
    setattr(cls, PROJECTION, projection)


def is_alone(info: Any) -> bool:
    """Whether nothing else of the operation is resolved at the same time, so that a resolver has nobody to wait for.

    Known when the operation is compiled, and never said when graphql-core runs it.
    """
    return getattr(getattr(info, "_raw_info", info), "is_alone", False)


def arguments_below(info: Any, name: str) -> dict[str, Any] | None:
    """The arguments with which the batch of the field called so will be called for what the resolver answers with, among what
    is selected of that; `None` if it is not selected just once, if its arguments are wrong, or if graphql-core runs it.
    """
    asked = getattr(getattr(info, "_raw_info", info), "arguments_below", None)
    return asked(name) if asked is not None else None


def selected_of(info: Any) -> Selected | None:
    """What is selected of the rows that a resolver may answer with; `None` if it must answer with objects.

    Always `None` when graphql-core runs the operation, when the resolver's field reaches no type with a projection through
    plain attributes, or more than one, or when a field is selected that rows don't answer.
    """
    return getattr(getattr(info, "_raw_info", info), "selected", None)
