"""Random data behind a real schema: every resolver and every attribute answers, fails, or answers something odd.

What is answered depends on the seed and on the place alone, so that two executions meet the same world.
"""

from __future__ import annotations

import datetime as dt
import random
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from enum import Enum
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.types.field import StrawberryField

from schema.compiled.adapters.core import BatchCall, DirectCall
from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.declare import Batch


class Later:
    """An awaitable that is ready at once, and may be awaited again; nobody minds if nobody does."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._now().__await__()

    async def _now(self) -> Any:
        if isinstance(self._value, Failing):
            raise self._value.error
        return self._value

    def __repr__(self) -> str:
        return "<Later>"


class Failing:
    """Raises its error whenever it is called upon."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Whole(int):
    """An integer that is more than one."""


class Text(str):
    """A text that is more than one."""

    __slots__ = ()


class Strange:
    """Nothing that GraphQL knows."""

    def __repr__(self) -> str:
        return "<Strange>"


class Colour(Enum):
    """An enum that no schema knows."""

    RED = "red"


_ODD: tuple[Any, ...] = (
    Strange(), Whole(7), Text("odd"), 2**40, -1, 0, 1.5, float("nan"), float("inf"), True, "", "text", Colour.RED,
    {}, {"id": 1}, [], (), b"bytes", ValueError("an exception as a value"), Undefined, 12.0, "1", Later("late"), Later(None),
)  # fmt: skip

_SAMPLES: dict[str, Callable[[random.Random], Any]] = {
    "ID": lambda rng: f"ctr_{rng.randrange(99)}",
    "String": lambda rng: rng.choice(("", "a title", "é")),
    "Boolean": lambda rng: rng.random() < 0.5,
    "Int": lambda rng: rng.randrange(1000),
    "Float": lambda rng: rng.random(),
    "DateTime": lambda rng: dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(rng.randrange(99)),
    "Date": lambda rng: dt.date(2026, 1, 1 + rng.randrange(28)),
    "Duration": lambda rng: dt.timedelta(rng.randrange(99)),
    "Decimal": lambda rng: f"{rng.randrange(999)}.00",
    "CurrencyCode": lambda rng: rng.choice(("USD", "BHD")),
    "Cursor": lambda rng: "Y3Vyc29y",
    "JSON": lambda rng: rng.choice(({"a": 1}, [1, 2], "text", 3)),
}


class World:
    """What one seed makes of every place. `trouble` is how much goes wrong: 1 is a lot, 0 nothing."""

    def __init__(self, schema: GraphQLSchema, seed: int, trouble: float) -> None:
        self._schema, self._seed, self._trouble = schema, seed, max(trouble, 1e-9)
        self.calls: list[str] = []
        """Resolvers that were called, and where."""

    def rng(self, *place: Any) -> random.Random:
        return random.Random(zlib.crc32(repr(place).encode()) + self._seed * 2**32)

    # Resolvers

    def answer(self, source: Any, parent: str, name: str, type_: Any) -> Any:
        """What the resolver of a field answers: a value, an exception, or either later."""
        key = (_key_of(source), parent, name)
        rng = self.rng(*key)
        self.calls.append(f"{key}")
        value = self.resolved(rng, type_, key)
        if rng.random() < 0.5 or is_batched(parent, name):
            return Later(value)
        if isinstance(value, Failing):
            raise value.error
        return value

    def resolved(self, rng: random.Random, type_: Any, key: tuple[Any, ...]) -> Any:
        draw = rng.random() / self._trouble
        if draw < 0.03:
            return Failing(rng.choice((GraphQLError("said so"), ValueError("broken"), KeyError("no key"))))
        if draw < 0.04:
            return GraphQLError("returned", extensions={"code": "BAD"})
        return self.value(rng, type_, key)

    # Values

    def value(self, rng: random.Random, type_: Any, key: tuple[Any, ...], depth: int = 0) -> Any:
        is_required = isinstance(type_, GraphQLNonNull)
        draw = rng.random()
        if draw < (0.01 * self._trouble if is_required else 0.15):
            return None
        if rng.random() < 0.01 * self._trouble:
            return rng.choice(_ODD)
        inner = type_.of_type if is_required else type_
        if isinstance(inner, GraphQLList):
            return self.items(rng, inner.of_type, key, depth)
        if rng.random() < 0.004 * self._trouble:
            return Later(self.inner(rng, inner, key, depth))
        return self.inner(rng, inner, key, depth)

    def items(self, rng: random.Random, type_: Any, key: tuple[Any, ...], depth: int) -> Any:
        found = [self.value(rng, type_, (*key, index), depth) for index in range(rng.randrange(4))]
        draw = rng.random() / self._trouble
        if draw < 0.01:
            return tuple(found)
        if draw < 0.02:
            return _once(found, None)
        if draw < 0.03:
            return _once(found, ValueError("no more of it"))
        return _AsyncIterable(found) if draw < 0.035 else found

    def inner(self, rng: random.Random, type_: Any, key: tuple[Any, ...], depth: int) -> Any:
        if isinstance(type_, GraphQLEnumType):
            return self.member(rng, type_)
        if type_.name in _SAMPLES:
            return _SAMPLES[type_.name](rng)
        possible = [type_] if isinstance(type_, GraphQLObjectType) else list(self._schema.get_possible_types(type_))
        if rng.random() < 0.01 * self._trouble:
            possible = [one for one in self._schema.type_map.values() if isinstance(one, GraphQLObjectType)]
            possible = [one for one in possible if not one.name.startswith("__")]
        return self.object(rng.choice(possible), key, depth)

    def member(self, rng: random.Random, type_: Any) -> Any:
        member = rng.choice(list(type_.wrapped_cls))
        draw = rng.random() / self._trouble
        if draw < 0.02:
            return member.value
        return member.name if draw < 0.03 else member

    def object(self, type_: Any, key: tuple[Any, ...], depth: int) -> Any:
        """An object of the class behind a type, whose attributes answer by its key."""
        cls = type_.extensions["strawberry-definition"].origin
        made = object.__new__(cls)
        made.__dict__["_key"] = key
        if depth > 6:
            return made
        rng = self.rng(key)
        for name, field in type_.fields.items():
            strawberry: StrawberryField = field.extensions["strawberry-definition"]
            if strawberry.is_basic_field:
                if rng.random() > 0.003 * self._trouble:
                    made.__dict__[strawberry.python_name] = self.value(rng, field.type, (key, name), depth + 1)
                elif hasattr(cls, strawberry.python_name):
                    made.__dict__[strawberry.python_name] = RuntimeError("instead of a value")
        return made


def _once(items: list[Any], error: Exception | None) -> Iterator[Any]:
    """An iterator, which can be read a single time."""
    yield from items
    if error is not None:
        raise error


class _AsyncIterable:
    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Any]:
        for item in self._items:
            yield item


class WorldReadOnce(World):
    """Every list can be read a single time, and fails at its end."""

    def items(self, rng: random.Random, type_: Any, key: tuple[Any, ...], depth: int) -> Any:
        return _once([self.value(rng, type_, (*key, index), depth) for index in range(3)], ValueError("no more of it"))


class WorldAdapter(StrawberryAdapter):
    """Strawberry's adapter, with the world in the place of resolvers; some of them are batches."""

    def __init__(self, schema: GraphQLSchema, world: Callable[[], World]) -> None:
        super().__init__(schema)
        self._world = world
        self._names: dict[int, tuple[str, str, Any]] = {}
        events: Any = schema.type_map["Event"]
        self._of_events, self._events = set(events.fields), {one.name for one in schema.get_possible_types(events)}
        for type_ in schema.type_map.values():
            if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
                for name, field in type_.fields.items():
                    self._replace(type_.name, name, field)

    def _replace(self, parent: str, name: str, field: GraphQLField) -> None:
        strawberry: StrawberryField = field.extensions["strawberry-definition"]
        if strawberry.is_basic_field or strawberry.is_subscription:
            return
        parent = "Event" if name in self._of_events and parent in self._events else parent  # as all of them do
        self._names[id(field)] = (parent, name, field.type)

        def resolve(source: Any, info: Any, **_: Any) -> Any:
            return self._world().answer(source, parent, name, field.type)

        field.resolve = resolve

    def batch(self, definition: GraphQLField) -> BatchCall | None:
        parent, name, type_ = self._names[id(definition)]
        if not is_batched(parent, name):
            return None

        async def load(parents: list[Any], _: Any, **__: Any) -> list[Any]:
            return [await _one(self._world(), source, parent, name, type_) for source in parents]

        return BatchCall(Batch(load), lambda arguments, _: arguments)

    def call(self, definition: GraphQLField) -> Any:
        return DirectCall(definition.resolve)  # type: ignore[arg-type] # every field has one


def is_batched(parent: str, name: str) -> bool:
    """Whether a field has a batch in the world, and so a resolver that has to be awaited."""
    return parent not in ("Query", "Mutation") and zlib.crc32(f"{parent}.{name}".encode()) % 3 == 0


async def _one(world: World, source: Any, parent: str, name: str, type_: Any) -> Any:
    try:
        value = world.answer(source, parent, name, type_)
        return await value if isinstance(value, Later) else value
    except Exception as error:  # noqa: BLE001 - as a batch has to
        return error


def _key_of(source: Any) -> Any:
    """What tells an object from others in both executions; something odd has no more than its class."""
    return getattr(source, "_key", None) or type(source).__name__
