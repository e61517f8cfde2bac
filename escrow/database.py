"""Gives access to PostgreSQL: Tortoise owns the pool and the models, and plain SQL goes through it where speed counts.

Inside `transaction()` every statement of the task, and of the tasks that it starts, uses the transaction's connection,
raw SQL and models alike. Errors of raw SQL arrive as asyncpg raises them; nothing here retries.
"""

# ruff: noqa: SLF001 - Tortoise gives its pool and its transactions' connection no public name

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection, get_connections
from tortoise.context import TortoiseContext, require_context

from escrow import meters
from escrow.lending import lent, waited
from escrow.release import APPLICATION
from escrow.settings import tortoise_config
from escrow.statements import Connection as Recording
from escrow.statements import Measured
from escrow.statements import counting as counting

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Record = asyncpg.Record
    Connection = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Record = asyncpg.Record
    Connection = Any

T = TypeVar("T")

_log = logging.getLogger(__name__)

LAST_WORK_SECONDS: Final = 5.0
"""How long a process that stops waits for writes whose callers are gone."""

AWAY: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,  # the connection was closed while a statement was being cancelled
)
"""What a statement raises when PostgreSQL is away, restarting, or hung up: no fault of the statement's."""

REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What a statement raises for the values that it was given: the same ones fail again."""

IDLE_IN_TRANSACTION_MS: Final = 30_000
"""PostgreSQL ends a session that leaves a transaction alone for so long. None of ours waits for anything but statements,
save the one that moves deliveries to an archive, which sets it higher."""

_ALIAS: Final = "default"

_PARAMETER: Final = re.compile(r"(?<!:):([a-z]\w*)")
_TYPED_PARAMETER: Final = re.compile(_PARAMETER.pattern + r"::\w+(\[\])?")

_context: TortoiseContext | None = None

_kept: Final[set[asyncio.Future[Any]]] = set()
"""Work that must end although nobody waits for it any more; the event loop itself holds tasks only weakly."""


def configuration(url: str, *, pool_size: int | None = None) -> dict[str, Any]:
    """Tortoise's configuration of this database as Earnest uses it."""
    config = tortoise_config(url)
    credentials = config["connections"][_ALIAS]["credentials"]
    credentials["connection_class"] = Measured
    # Short statements whose cost estimates mislead: compiling one takes longer than running it, and so does making room to
    # remember what a join will find for all the rows that there are, where a page of fifty is read.
    # A process that is paused in the middle of a transaction must not hold up the others, the sequencers above all.
    credentials["server_settings"] = {
        "application_name": APPLICATION,
        "jit": "off",
        "enable_memoize": "off",
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
    }
    # Kept prepared as long as the connection lives: planning one anew takes longer than running it several times.
    credentials.setdefault("max_cached_statement_lifetime", 0)
    if pool_size is not None:
        credentials["maxsize"] = pool_size
    return config


async def connect(url: str, *, pool_size: int | None = None) -> None:
    """Open the pool and make the models usable; one database per process.

    `pool_size` connections at most; by default what the URL says as `maxsize`, else `settings.POOL_CONNECTIONS_MAX`.
    Refuses with `RuntimeError` while connected. Fails as asyncpg does if nobody answers.
    """
    global _context
    if _context is not None:
        raise RuntimeError("already connected to a database; disconnect() first")
    context = TortoiseContext()
    with context:  # the models bind to the current context; afterwards every task finds this one as the global one
        await context.init(config=configuration(url, pool_size=pool_size), _enable_global_fallback=True)
    _context = context
    try:
        await fetch("SELECT 1")
    except BaseException:
        await disconnect()
        raise


async def disconnect() -> None:
    """Close the pool, after the work under way that must end; without a pool it does nothing."""
    global _context
    context, _context = _context, None
    if context is not None:
        await _last_work()
        await context.close_connections()


async def _last_work() -> None:
    """Wait for what must end in the running event loop."""
    kept = {one for one in tuple(_kept) if one.get_loop() is asyncio.get_running_loop()}
    if kept:
        await asyncio.wait(kept, timeout=LAST_WORK_SECONDS)


def pool_beside(url: str, *, size: int, statement_seconds: float = 0) -> AsyncpgDBClient:
    """A pool for an event loop beside the one that `connect` was called in; its first statement there opens it.

    It has `size` connections at most, and no more than the other one. A statement that takes longer than `statement_seconds`
    is ended by the server; 0 lets it take its time.
    """
    credentials = configuration(url)["connections"][_ALIAS]["credentials"]
    credentials["maxsize"] = min(int(credentials["maxsize"]), size)
    credentials["server_settings"]["statement_timeout"] = str(round(statement_seconds * 1000))
    return AsyncpgDBClient(connection_name=_ALIAS, **credentials)


async def connection_to(url: str) -> Recording:
    """A connection to a server, in no pool: whoever asks for it closes it. Fails as asyncpg does if nobody answers."""
    credentials = dict(configuration(url)["connections"][_ALIAS]["credentials"])
    for of_pools in ("maxsize", "minsize"):
        credentials.pop(of_pools, None)
    connection: Recording = await asyncpg.connect(**credentials)
    return connection


@asynccontextmanager
async def alone(lock: int) -> AsyncIterator[bool]:
    """Whether nobody else holds this advisory lock: then it is ours until the end, on a connection that does nothing else."""
    async with get_connection(_ALIAS).acquire_connection() as acquired:
        connection = cast("Connection", acquired)
        is_ours: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock)
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(*AWAY):  # then the lock is gone with its connection, and what ended the block is told
                    await connection.fetchval("SELECT pg_advisory_unlock($1)", lock)


@contextmanager
def using(pool: AsyncpgDBClient) -> Iterator[None]:
    """Let this task, and tasks that it starts meanwhile, use a pool of `pool_beside`."""
    token = get_connections().set(_ALIAS, pool)
    try:
        yield
    finally:
        get_connections().reset(token)


async def close_beside(pool: AsyncpgDBClient) -> None:
    """Close a pool of `pool_beside`, in its own event loop, after the work under way that must end."""
    await _last_work()
    await pool.close()


class Statement:
    """SQL whose parameters have names: `:name` in its text, and `await fetch(*STATEMENT.bind(name=…))`.

    Parts that are written apart name theirs each for itself, so nothing counts what stands before it. A name that comes
    again is the same parameter; `::` is a cast.
    """

    def __init__(self, text: str) -> None:
        self.names: Final = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        numbers = {name: f"${number}" for number, name in enumerate(self.names, start=1)}
        self.sql: Final = _PARAMETER.sub(lambda found: numbers[found[1]], text)

    def bind(self, **arguments: object) -> tuple[str, *tuple[object, ...]]:
        """The SQL and its arguments in order. Refuses with `TypeError` unless just its own parameters are given."""
        given = [arguments[name] for name in self.names if name in arguments]
        if not len(given) == len(arguments) == len(self.names):
            raise TypeError(f"not the parameters of this statement: {sorted(arguments.keys() ^ set(self.names))}")
        return self.sql, *given


def unseen(parameter: str) -> str:
    """A parameter, with its type, whose value PostgreSQL doesn't look at when it plans: `= ANY ({unseen("$1::text[]")})`.

    A prepared statement is planned anew at each execution for as long as plans that know their values look cheaper than the
    one that doesn't: of an array it would know the length. Where the best plan is the same for all values, as in look-ups by
    key, this makes both cost the same, so that after five executions the statement keeps the one plan. A list whose best plan
    depends on what is asked for names its parameters plainly.
    """
    return f"(SELECT {parameter})::{parameter.rpartition('::')[2]}"


def listed(parameter: str) -> str:
    """The identifiers that a parameter lists as `as_list` writes them: `= ANY ({listed(":ids")})`. It is planned as `unseen` is.

    asyncpg writes an array value by value, which for fifty takes longer than all else that a statement does here; PostgreSQL
    takes one text apart in no time.
    """
    return f"string_to_array((SELECT {parameter}::text), ',')"


def as_list(identifiers: Iterable[str]) -> str:
    """Identifiers, which have no comma, as a parameter of `listed`."""
    return ",".join(identifiers)


def blind(text: str) -> str:
    """SQL for `Statement` that is planned without a look at any value: all its parameters are `unseen`, so its plan is kept."""
    return _TYPED_PARAMETER.sub(lambda found: unseen(found[0]), text)


class Rows:
    """Rows that a statement is given, one array for each column: with `Rows("note", "id text, size int")` it has `note.id`.

    `sql` belongs into a `FROM`, what `bind` answers into the arguments of the statement.
    """

    def __init__(self, name: str, columns: str) -> None:
        kinds = dict(column.split() for column in columns.split(","))
        self._name = name
        self._columns: Final = tuple(kinds)
        # However many rows are given, the statement's plan is the same, and kept.
        arrays = ", ".join(unseen(f":{name}_{column}::{kind}[]") for column, kind in kinds.items())
        self.sql: Final = f"unnest({arrays}) AS {name} ({', '.join(kinds)})"

    def bind(self, rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
        """These rows as parameters of the statement; each row has all of the columns."""
        return {f"{self._name}_{column}": [row[column] for row in rows] for column in self._columns}


def _asked(how: str, sql: str, args: Sequence[object]) -> Awaitable[Any]:
    """What a connection answers when it is asked so: the transaction's inside one; else any, for one statement."""
    client = require_context().connections.get(_ALIAS)  # as `get_connection`, which imports a module at each call
    if client.__class__ is TransactionWrapper or client._pool is None:  # which the first statement makes
        return _acquired(client, how, sql, args)
    return lent(client._pool, how, sql, *args)


async def _acquired(client: BaseDBAsyncClient, how: str, sql: str, args: Sequence[object]) -> Any:
    """The same by Tortoise's own means."""
    async with client.acquire_connection() as connection:
        return await getattr(connection, how)(sql, *args)


async def fetch(sql: str, *args: object) -> list[Record]:
    """All rows that the statement returns."""
    rows: list[Record] = await _asked("fetch", sql, args)
    return rows


async def fetch_row(sql: str, *args: object) -> Record | None:
    """The first row that the statement returns, if any."""
    row: Record | None = await _asked("fetchrow", sql, args)
    return row


async def fetch_value(sql: str, *args: object) -> Any:
    """The first column of the first row, or `None`."""
    return await _asked("fetchval", sql, args)


async def execute(sql: str, *args: object) -> str:
    """Run a statement, or several if there are no arguments; the answer is the last one's tag: `UPDATE 1`."""
    tag: str = await _asked("execute", sql, args)
    return tag


def filled(kind: type[T], row: Record, /, **beside: object) -> T:
    """An object of a dataclass: each field is the column of its name, unless it is given."""
    return kind(**{name: row[name] for name in _fields_of(cast("Any", kind)) if name not in beside}, **beside)


@cache
def _fields_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


_COMMIT: Final = "COMMIT;"
_ROLLBACK: Final = "ROLLBACK;"


class transaction:  # noqa: N801 - it is used as a function
    """`async with transaction() as connection:` commits at the end, and rolls back on an exception.

    With `snapshot`, everything in it sees one moment, and nothing can be written. With `lock`, it is the only one that holds
    this advisory lock, and whatever it reads it sees as who held it before has left it. A task may be cancelled at any point:
    the connection always goes back to the pool. Cancelled during the COMMIT, the outcome is unknown to the caller; who
    must know it shields the whole block (`uncancelled`). Refuses with `RuntimeError` inside another transaction: what a
    command writes stands or falls alone.
    """

    def __init__(self, *, snapshot: bool = False, lock: int | None = None) -> None:
        self._begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;" if snapshot else "BEGIN;"
        if lock is not None:
            self._begin += f" SELECT pg_advisory_xact_lock({lock});"

    async def __aenter__(self) -> Connection:
        parent = cast("AsyncpgDBClient", get_connection(_ALIAS))
        if isinstance(parent, TransactionWrapper):
            raise RuntimeError("this task is inside a transaction already")  # noqa: TRY004 - no wrong type, a wrong place
        client = TransactionWrapper(parent)
        self._pool = pool = _pool_of(parent)
        with waited():
            self._connection: Connection = await pool.acquire()
        client._connection = self._connection  # type: ignore[assignment]  # asyncpg's own proxy for a connection
        try:
            await self._connection.execute(self._begin)
        except BaseException:
            await uncancelled(self._roll_back())  # one that may or may not have begun, once that is known
            raise
        self._token = get_connections().set(_ALIAS, client)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        get_connections().reset(self._token)
        await uncancelled(self._end(_COMMIT) if kind is None else self._roll_back())

    async def _roll_back(self) -> None:
        """The server does it by itself once the connection is gone. What ended the block is told then, and not that: a task that
        is cancelled would go on."""
        with suppress(*AWAY):
            await self._end(_ROLLBACK)

    async def _end(self, by: str) -> None:
        try:
            await self._connection.execute(by)
        finally:
            await self._pool.release(self._connection)


async def uncancelled(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Await `work` so that it ends even if the caller is cancelled; the caller gets its `CancelledError` at once."""
    task = asyncio.ensure_future(work)
    _kept.add(task)
    task.add_done_callback(_kept.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_unattended)
        raise


def _unattended(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("work failed whose caller had gone", extra={"error": error})


def pool_use() -> tuple[int, int]:
    """How many connections are in use, and how many there are at most: for health checks and tests."""
    client = get_connection(_ALIAS)
    return use_of(client._parent if isinstance(client, TransactionWrapper) else client)


def use_of(client: BaseDBAsyncClient) -> tuple[int, int]:
    """The same of a pool of `pool_beside`, also from another thread: the numbers of a moment."""
    pool = _pool_of(client)
    return pool.get_size() - pool.get_idle_size(), pool.get_max_size()


def _use() -> Iterator[tuple[tuple[str], float]]:
    if _context is None or get_connection(_ALIAS)._pool is None:  # not connected, or not yet
        return
    used, most = pool_use()
    yield ("used",), used
    yield ("most",), most


meters.Gauge(
    "earnest_pool_connections", "Connections of this process to PostgreSQL: in use, and at most", "state", read=_use
)


def _pool_of(client: BaseDBAsyncClient) -> Pool:
    pool: Pool | None = client._pool
    if pool is None:
        raise RuntimeError("not connected to a database: connect() first")
    return pool
