"""Is asyncpg's connection as Earnest uses it: it measures and marks each statement, and is given back without a round trip."""

# ruff: noqa: SLF001 - asyncpg's connection has no public name for what it keeps

from __future__ import annotations

import time
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from escrow import meters, spans, traces
from escrow.spans import Kind

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection
"""asyncpg's own."""

T = TypeVar("T")

TEXT_CHARACTERS_MAX: Final = 300
"""Of a statement, in its span; what it was given is in none."""

_SECONDS: Final = meters.Histogram(
    "earnest_sql_seconds", "How long statements took, the way to PostgreSQL and back included"
)
FAILURES: Final = meters.Counter(
    "earnest_sql_failures", "Statements that failed, other than by a row that tables refuse, or that got no connection"
)

_EXPECTED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""How races with the same key end, among others."""

_statements: ContextVar[tuple[list[str], ...]] = ContextVar("statements", default=())


class Measured(Connection):
    """The connection.

    The driver would reset the session on each release (`UNLISTEN *; RESET ALL; …`), a third of a command's round trips.
    Nothing here leaves state in a session: locks and settings are those of transactions only. What asyncpg does without
    a statement it still does, such as rolling back a transaction that was left open.
    """

    def get_reset_query(self) -> str:
        return ""

    def execute(self, query: str, *args: Any, **options: Any) -> Coroutine[Any, Any, str]:
        return _measured(query, super().execute(query, *args, **options))

    def executemany(self, command: str, args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        return _measured(command, super().executemany(command, args, **options))

    def fetch(self, query: str, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        return _measured(query, super().fetch(query, *args, **options) if options else self._rows(query, args, 0))

    def fetchrow(self, query: str, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        return _measured(query, super().fetchrow(query, *args, **options) if options else self._row(query, args))

    def fetchval(self, query: str, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        return _measured(query, super().fetchval(query, *args, **options))

    async def _row(self, query: str, args: tuple[Any, ...]) -> Any:
        rows = await self._rows(query, args, 1)
        return rows[0] if rows else None

    async def _rows(self, query: str, args: tuple[Any, ...], limit: int) -> Any:
        """What a statement returns, at most `limit` rows unless that is 0. One that is prepared is handed to the protocol as it
        is: what asyncpg has around that, for what we don't ask for, takes as long again as a short statement.
        """
        own: Any = self  # with what its types don't tell of
        prepared = own._stmt_cache.get((query, own._protocol.get_record_class(), False))
        if prepared is None or own._query_loggers:
            return await own._execute(query, args, limit, None)
        try:
            return await own._protocol.bind_execute(prepared, args, "", limit, False, None)
        # As asyncpg does: this one has been carried out, but its answer can't be read.
        except asyncpg.OutdatedSchemaCacheError:
            await self.reload_schema_state()
            raise
        # And this one was refused: a table has changed since it was prepared.
        except asyncpg.InvalidCachedStatementError:
            own._drop_global_statement_cache()
            if own._protocol.is_in_transaction():
                raise
            return await own._execute(query, args, limit, None)


async def _measured(sql: str, answer: Awaitable[T]) -> T:
    for found in _statements.get():
        found.append(sql)
    began = time.perf_counter()
    try:
        if (
            spans.is_recording() and not traces.current().is_new
        ):  # below a span; what looks for work all the time has none
            with spans.span(sql.split(None, 1)[0], Kind.CLIENT, db_query_text=sql.strip()[:TEXT_CHARACTERS_MAX]):
                return await answer
        return await answer
    except Exception as error:  # whoever goes away in the middle is no failure, and neither is what the tables refuse
        if not isinstance(error, _EXPECTED):
            FAILURES.add()
        raise
    finally:
        _SECONDS.observe(time.perf_counter() - began)


@contextmanager
def counting() -> Iterator[list[str]]:
    """Collects each statement that this task, and tasks that it starts meanwhile, send to the database: round trips."""
    found: list[str] = []
    token = _statements.set((*_statements.get(), found))
    try:
        yield found
    finally:
        _statements.reset(token)
