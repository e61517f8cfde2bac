"""Loads a nested field that needs the database once for all parents of its level.

They live as long as one operation (its context has them), so nothing is remembered from one request to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import update_wrapper
from typing import Any, Generic, Protocol, TypeVar, TypeVarTuple, cast


class Carrier(Protocol):
    """What an operation carries with it: its data loaders, and whatever its fields load with."""

    data_loaders: DataLoaders


Context = TypeVar("Context", bound=Carrier)
Parent = TypeVar("Parent")
Value = TypeVar("Value")
Arguments = TypeVarTuple("Arguments")

_Load = Callable[..., Awaitable[Sequence[Any]]]


class data_loader(Generic[Parent, Context, *Arguments, Value]):  # noqa: N801 - it is used as a decorator
    """Turns `load(parents, context, …)`, which answers one value per parent, into a function of a single parent.

    Calls of one level of the query (with equal arguments) are collected until the event loop turns and become one call
    of `load`. A parent is an identifier or an object of its own; asking for it again costs nothing.
    """

    def __init__(self, load: Callable[[Sequence[Parent], Context, *Arguments], Awaitable[Sequence[Value]]]) -> None:
        update_wrapper(self, load)
        self._load = cast("_Load", load)

    def __call__(self, parent: Parent, context: Context, *arguments: *Arguments) -> Awaitable[Value]:
        return context.data_loaders.load(self._load, context, parent, cast("Hashable", arguments))

    async def at_once(self, parent: Parent, context: Context, *arguments: *Arguments) -> Value:
        """The value of a parent, for who knows that nobody else asks meanwhile: it waits for nobody, and isn't kept."""
        (value,) = await self._load([parent], context, *arguments)
        return cast("Value", value)

    def all(self, parents: Sequence[str], context: Context, *arguments: *Arguments) -> Awaitable[Sequence[Value]]:
        """The values of all these parents, for who has them together; the same ones again cost nothing."""
        return context.data_loaders.load_all(self._load, context, tuple(parents), cast("Hashable", arguments))


class DataLoaders:
    """The answers of one operation, and the questions that wait for the next turn of the event loop."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[object, asyncio.Future[Any]]] = {}
        self._waiting: dict[Hashable, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def load(self, load: _Load, context: Carrier, parent: object, arguments: Hashable) -> asyncio.Future[Any]:
        """The future answer for this parent; the same one if it was asked before."""
        kind = (load, arguments)
        # The parent is kept beside its answer: an id of an object is only unique while the object lives.
        key = (kind, parent if isinstance(parent, str) else id(parent))
        known = self._answers.get(key)
        if known is not None:
            return known[1]
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._answers[key] = (parent, answer)
        waiting = self._waiting.get(kind)
        if waiting is None:
            self._waiting[kind] = waiting = []
            loop.call_soon(self._start, kind, load, context, arguments)
        waiting.append((parent, answer))
        return answer

    def load_all(
        self, load: _Load, context: Carrier, parents: tuple[str, ...], arguments: Any
    ) -> asyncio.Future[Sequence[Any]]:
        """The future answers for these parents, by a call of their own."""
        key = (load, arguments, parents)
        known = self._answers.get(key)
        if known is None:
            answers = asyncio.ensure_future(load(parents, context, *arguments))
            self._answers[key] = known = (parents, answers)
        return known[1]

    def _start(self, kind: Hashable, load: _Load, context: Carrier, arguments: Any) -> None:
        task = asyncio.ensure_future(self._run(load, context, arguments, self._waiting.pop(kind)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(
        self, load: _Load, context: Carrier, arguments: tuple[Any, ...], asked: list[tuple[Any, asyncio.Future[Any]]]
    ) -> None:
        try:
            values = await load([parent for parent, _ in asked], context, *arguments)
            for (_, answer), value in zip(asked, values, strict=True):
                if not answer.done():
                    answer.set_result(value)
        except Exception as error:  # noqa: BLE001 - whoever awaits the answers gets the error
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
