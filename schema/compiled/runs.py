"""Runs a plan: calls resolvers and batches level by level, records what they answer, and completes it.

What can be started without waiting starts together, as in graphql-core: the resolvers below plain attributes, and below
resolvers that answer at once. Whatever is odd is left as it is and makes the run *odd*: graphql-core then completes the
recorded values itself (see `replay`).
"""

from __future__ import annotations

from asyncio import Future, ensure_future, gather
from collections.abc import Callable, Iterable
from functools import partial
from types import CoroutineType
from typing import Any, Final, TypeAlias

from graphql import GraphQLList, GraphQLObjectType, GraphQLResolveInfoHelpers, Undefined
from graphql.execution.executor import default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_iterable

from schema.compiled.adapters.core import Adapter
from schema.compiled.leaves import Unusual
from schema.compiled.plan import (
    OBJECT,
    SELECTION,
    WHERE,
    Field,
    Kind,
    KindsPlace,
    Occurrence,
    Place,
    Selection,
    Where,
    nullable,
)

_BATCH: Final = Kind.BATCH

Below: TypeAlias = dict[Selection, list[Occurrence]]


class Run:
    """One execution of a plan."""

    __slots__ = (
        "_adapter",
        "_fragments",
        "_operation",
        "_schema",
        "_told",
        "context",
        "late",
        "odd",
        "recorded",
        "root",
        "variables",
    )

    def __init__(
        self,
        adapter: Adapter,
        document: tuple[Any, Any, Any],
        root: Any,
        context: Any,
        variables: VariableValues,
    ) -> None:
        self._adapter = adapter
        self._schema, self._fragments, self._operation = document
        self.root, self.context, self.variables = root, context, variables
        self.odd = False
        """Whether generated code cannot complete what was recorded."""
        self.recorded = 0
        """How many objects of lists and of fields were recorded: about how large the answer is."""
        self._told: dict[Field, dict[str, Any]] = {}
        """The arguments of batches that were told before these are called."""
        self.late: set[Any] = set()
        """Fields whose resolvers were awaited, and pairs of a field and an occurrence where only some were."""

    # Resolving

    async def resolve(self, occurrence: Occurrence) -> None:
        """Resolve all that is at and below an occurrence."""
        jobs: list[_Job] = []
        self._expand(occurrence[SELECTION], [occurrence], jobs)
        if jobs:
            await self._finish_all(jobs)

    async def _finish_all(self, jobs: list[_Job]) -> None:
        # Level by level in one coroutine: all that wait for each other are passed by whenever the innermost goes on.
        while len(jobs) == 1:
            (job,) = jobs
            await job.wait()
            jobs = self._finished(job)
        for job in jobs:
            job.start()
        if jobs:
            await gather(*[self._finish(job) for job in jobs])

    async def _finish(self, job: _Job) -> None:
        await job.wait()
        await self._finish_all(self._finished(job))

    def _finished(self, job: _Job) -> list[_Job]:
        """Record what came of a job; answers with the jobs below it."""
        jobs: list[_Job] = []
        self._record(job.field, job.occurrences, job.values, jobs)
        return jobs

    def _expand(self, selection: Selection, occurrences: list[Occurrence], jobs: list[_Job]) -> None:
        """Do for all these occurrences what can be done without waiting; the rest becomes jobs."""
        if selection.foreign:
            self.odd = True
        for field in selection.work:
            if not field.slot:
                self._shape_all(field, occurrences, self._attributes(selection, field, occurrences), jobs)
                continue
            started = self._batch(field, occurrences) if field.kind is _BATCH else self._call(field, occurrences)
            if isinstance(started, _Job):
                jobs.append(started)
            else:
                self._record(field, occurrences, started, jobs)

    def _record(self, field: Field, occurrences: list[Occurrence], values: list[Any], jobs: list[_Job]) -> None:
        slot = field.slot
        for occurrence, value in zip(occurrences, values, strict=True):
            occurrence[slot] = value
            self.recorded += len(value) if value.__class__ is list else 1
            if isinstance(value, Exception):
                self.odd = True
        if field.shape_slot:
            self._shape_all(field, occurrences, values, jobs)

    def _attributes(self, selection: Selection, field: Field, occurrences: list[Occurrence]) -> list[Any]:
        values, projection = [], selection.projection
        for occurrence in occurrences:
            source = occurrence[OBJECT]
            try:
                if projection is not None and source.__class__ in projection.rows:
                    values.append(selection.readers[field.name](source))
                else:
                    values.append(field.read(source))
            except Exception:  # noqa: BLE001 - graphql-core reads it again, and calls it or says what is wrong
                values.append(UNREAD)
        return values

    # Calling

    def _batch(self, field: Field, occurrences: list[Occurrence]) -> _Job | list[Any]:
        batch = field.call
        try:
            arguments = self._told.pop(field, None)
            if arguments is None:
                arguments = self._arguments(field)
            if batch.selects:
                arguments["selected"] = field.selected
            if batch.beside:
                arguments["beside"] = field.beside
            if batch.alone:
                arguments["alone"] = field.is_alone
        except Exception as error:  # noqa: BLE001 - as above
            return [error] * len(occurrences)
        self.late.add(field)
        parents = [occurrence[OBJECT] for occurrence in occurrences]
        return _BatchJob(field, occurrences, batch.load, parents, self.context, arguments)

    def _call(self, field: Field, occurrences: list[Occurrence]) -> _Job | list[Any]:
        call = field.call
        values: list[Any] = []
        waiting: list[int] = []
        is_awaitable = self._adapter.is_awaitable
        for occurrence in occurrences:
            try:
                path = field.path if occurrence[WHERE] is None else path_of(occurrence[WHERE], field)
                info = self._info(field, path, self._parent(field, occurrence))
                value = call(occurrence[OBJECT], info, call.convert(field.arguments.values(self.variables), info))
                if value.__class__ is CoroutineType or is_awaitable(value):  # nearly always, and told without asking
                    waiting.append(len(values))
            except Exception as error:  # noqa: BLE001 - it is what the resolver answered
                value = error
                if call.is_async:  # then graphql-core hears of it later
                    self.late.add((field, id(occurrence)))
            values.append(value)
        if not waiting:
            return values
        if len(waiting) == len(values):
            self.late.add(field)
        else:
            self.late.update((field, id(occurrences[index])) for index in waiting)
        return _Job(field, occurrences, values, waiting)

    def _parent(self, field: Field, occurrence: Occurrence) -> Any:
        """The type of an object: where many types have one selection, the object tells."""
        kinds = occurrence[SELECTION].kinds
        return field.parent if kinds is None else self._schema.get_type(kinds.name(occurrence[OBJECT]))

    def _info(self, field: Field, path: Path, parent: Any = None) -> Any:
        values = (
            field.name, field.nodes, field.type, parent or field.parent, path, self._schema, self._fragments, self.root,
            self._operation, self.context, self._adapter.is_awaitable, None, _HELPERS,
        )  # fmt: skip
        info = self._adapter.info(values, self.variables, field.selected, is_alone=field.is_alone)
        if field.batches_below:
            info.arguments_below = partial(self._arguments_below, field)
        return info

    def _arguments(self, field: Field) -> dict[str, Any]:
        """The arguments of a batch as its function takes them."""
        found: dict[str, Any] = field.call.convert(
            field.arguments.values(self.variables), lambda: self._info(field, field.path)
        )
        return found

    def _arguments_below(self, field: Field, name: str) -> dict[str, Any] | None:
        """The arguments that a batch will be called with below this field; whoever is told of them doesn't change them."""
        below = field.batches_below.get(name)
        if below is None:
            return None
        try:
            self._told[below] = self._arguments(below)
        except Exception:  # noqa: BLE001 - it is raised again where the batch is called
            return None
        return self._told[below].copy()

    # Shaping

    def _shape_all(self, field: Field, occurrences: list[Occurrence], values: Iterable[Any], jobs: list[_Job]) -> None:
        """Record each value with occurrences in place of its objects, and go on below them."""
        below: Below = {}
        slot = field.shape_slot
        for occurrence, value in zip(occurrences, values, strict=True):
            where = (occurrence[WHERE], field.key, field.parent.name)
            occurrence[slot] = self._shape(field, field.type, value, below, where)
        for selection, found in below.items():
            self._expand(selection, found, jobs)

    def _shape(self, field: Field, type_: Any, value: Any, below: Below, where: Where) -> Any:
        if value is None or value is Undefined:
            return None
        type_ = nullable(type_)
        if isinstance(type_, GraphQLList):
            return self._shape_list(field, type_.of_type, value, below, where)
        place: Any = field.place
        selection = place.by_class.get(value.__class__) or self._selection(place, field, value, where)
        if selection is None:
            self.odd = True
            return value
        occurrence = selection.occurrence(value, where)
        below.setdefault(selection, []).append(occurrence)
        return occurrence

    def _shape_list(self, field: Field, item_type: Any, value: Any, below: Below, where: Where) -> Any:
        if value.__class__ is not list and (isinstance(value, Exception) or not is_iterable(value)):
            self.odd = True
            return value
        shaped: list[Any] = []
        place: Any = field.place
        known = {} if isinstance(nullable(item_type), GraphQLList) else place.by_class
        try:
            for index, item in enumerate(value):
                selection = known.get(item.__class__)
                if selection is None:
                    shaped.append(self._shape(field, item_type, item, below, (where, index, None)))
                    continue
                # What `_shape` would come to, for the many objects of a list: a third of what the call takes.
                occurrence = [item, selection, (where, index, None), *selection.blank]
                below.setdefault(selection, []).append(occurrence)
                shaped.append(occurrence)
        except Exception as error:  # noqa: BLE001 - the iterable's own
            self.odd = True
            return Interrupted(shaped, error)
        return shaped

    def _selection(self, place: Place, field: Field, value: Any, where: Where) -> Selection | None:
        """The selection of an object whose class doesn't tell its type; `None` if graphql-core has to say."""
        if isinstance(value, Exception) or self._adapter.is_awaitable(value):
            return None
        if isinstance(place, KindsPlace):
            return place.choose(value)
        if place.only is not None and place.type.is_type_of is None:
            return place.only
        info = self._info(field, path_at(where))
        try:
            type_ = place.type if place.only is not None else self._type_of(place, value, info)
            return place.selection(type_) if type_ is not None and self._is_of(type_, value, info) else None
        except Exception:  # noqa: BLE001 - graphql-core asks again and says what is wrong
            return None

    def _type_of(self, place: Place, value: Any, info: Any) -> GraphQLObjectType | None:
        """The type of an object of an interface or a union, as graphql-core finds it; `None` if it is a wrong one."""
        resolve: Callable[..., Any] = place.type.resolve_type or default_type_resolver
        name = self._at_once(resolve(value, info, place.type))
        type_ = self._schema.get_type(name) if isinstance(name, str) else None
        is_possible = isinstance(type_, GraphQLObjectType) and self._schema.is_sub_type(place.type, type_)
        return type_ if is_possible else None

    def _is_of(self, type_: GraphQLObjectType, value: Any, info: Any) -> bool:
        check = type_.is_type_of
        return check is None or bool(self._at_once(check(value, info)))

    def _at_once(self, answer: Any) -> Any:
        """The answer, or `None` where it would have to be awaited: graphql-core asks again."""
        if not self._adapter.is_awaitable(answer):
            return answer
        unasked = ensure_future(answer)
        _unasked.add(unasked)
        unasked.add_done_callback(_heard)
        return None


class _Job:
    """Values of one field, some of which have to be awaited."""

    __slots__ = ("_future", "_waiting", "field", "occurrences", "values")

    def __init__(self, field: Field, occurrences: list[Occurrence], values: list[Any], waiting: list[int]) -> None:
        self.field, self.occurrences, self.values, self._waiting = field, occurrences, values, waiting
        self._future: Any = None

    def start(self) -> None:
        """Begin at once, beside the others."""
        self._future = gather(*[self.values[index] for index in self._waiting], return_exceptions=True)

    async def wait(self) -> None:
        """Put what was awaited, or the exception, in place of each awaitable."""
        values, waiting = self.values, self._waiting
        if self._future is None and len(waiting) == 1:
            (index,) = waiting
            try:
                values[index] = await values[index]
            except Exception as error:  # noqa: BLE001 - it is what the resolver answered
                values[index] = error
            return
        if self._future is None:
            self.start()
        for index, value in zip(waiting, await self._future, strict=True):
            if isinstance(value, BaseException) and not isinstance(value, Exception):
                raise value
            values[index] = value


class _BatchJob(_Job):
    """A batch that has been called for all parents."""

    __slots__ = ()

    def __init__(
        self, field: Field, occurrences: list[Occurrence], load: Any, parents: list[Any], context: Any, arguments: Any
    ) -> None:
        super().__init__(field, occurrences, [_loaded(load, parents, context, arguments)], [0])

    async def wait(self) -> None:
        await super().wait()
        (found,) = self.values
        self.values = [found] * len(self.occurrences) if isinstance(found, Exception) else found


def path_at(where: Where) -> Any:
    """The path that a place in the answer has; `None` for the root."""
    return where and Path(path_at(where[0]), where[1], where[2])


def path_of(where: Where, field: Field) -> Path:
    """The path of a field of the object there."""
    return Path(path_at(where), field.key, field.parent.name)


class Interrupted:
    """An iterable that raises after some items, as often as it is read."""

    def __init__(self, items: list[Any], error: Exception) -> None:
        self._items, self._error = items, error

    def __iter__(self) -> Any:
        yield from self._items
        raise self._error


UNREAD: Final = Unusual()
"""In the place of an attribute that could not be read as one."""


async def _loaded(load: Any, parents: list[Any], context: Any, arguments: dict[str, Any]) -> Any:
    """A value for each parent; the exception if the batch failed, or answered for more or fewer parents."""
    try:
        values = list(await load(parents, context, **arguments))
    except Exception as error:  # noqa: BLE001 - it is what each of its parents is answered
        return error
    if len(values) == len(parents):
        return values
    name = getattr(load, "__qualname__", repr(load))
    return RuntimeError(f"the batch {name} answered {len(values)} values for {len(parents)} parents")


_unasked: set[Future[Any]] = set()
"""Answers that came too late to be of use; somebody must hear them out."""


def _heard(answer: Future[Any]) -> None:
    _unasked.discard(answer)
    if not answer.cancelled():
        answer.exception()


_HELPERS = GraphQLResolveInfoHelpers(gather=lambda values: gather(*values), track=lambda _: None)
