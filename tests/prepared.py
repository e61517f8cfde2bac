"""What most tests begin with, made once in a process by the commands that anybody uses, and from then on laid again as rows.

Only on a database that is as the migrations left it; elsewhere it is made anew, whatever was made before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from escrow import database
from tests.engines import KEPT_SCHEMA, stored_columns, table_names

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept:
    what: Any
    laying: str
    """The statements that put its rows back."""


_kept: Final[dict[tuple[str, object], _Kept]] = {}
"""By the database and the name of what was made there."""


async def prepared(name: object, make: Callable[[], Awaitable[T]], *, is_sequenced: bool = False) -> T:
    """What `make` gives, with the rows that it made the first time under this name; positions only if it gives some itself."""
    here = await _untouched()
    if here is None:
        return await make()
    kept = _kept.get((here, name))
    if kept is not None:
        await database.execute(kept.laying)
        what: T = kept.what
        return what
    made = await make()
    laying = await _keep(f"kept_{len(_kept)}", is_sequenced=is_sequenced)
    if laying is not None:
        _kept[here, name] = _Kept(made, laying)
    return made


async def _untouched() -> str | None:
    """The name of the database, if it is one of the tests' and as the migrations left it."""
    if not await database.fetch_value("SELECT to_regclass($1) IS NOT NULL", f"{KEPT_SCHEMA}.deployment"):
        return None
    name: str | None = await database.fetch_value(_UNTOUCHED)
    return name


_UNTOUCHED: Final = f"""
SELECT current_database()::text WHERE NOT EXISTS (SELECT FROM accounts) AND NOT EXISTS (SELECT FROM events)
    AND (SELECT row::text FROM deployment AS row) = (SELECT row::text FROM {KEPT_SCHEMA}.deployment AS row)
"""


async def _keep(schema: str, *, is_sequenced: bool) -> str | None:
    """Keep the rows that there are now and weren't before; the statements that lay them.

    Nothing is kept if somebody gives events their positions meanwhile: whoever begins with it would find them given.
    """
    laying = ["SET LOCAL session_replication_role = replica"]
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE log_positions IN SHARE MODE")
        if not is_sequenced and await connection.fetchval("SELECT EXISTS (SELECT FROM log_positions)"):
            return None
        await connection.execute(f"CREATE SCHEMA {schema}")
        pristine = await table_names(connection, schema=KEPT_SCHEMA)
        for table in await table_names(connection):
            others = f"EXCEPT SELECT row::text FROM {KEPT_SCHEMA}.{table} AS row" if table in pristine else ""
            if await connection.fetchval(f'SELECT EXISTS (SELECT row::text FROM "{table}" AS row {others})'):
                await connection.execute(f'CREATE TABLE {schema}."{table}" AS TABLE "{table}"')
                columns = await stored_columns(connection, table)
                laying += [f'DELETE FROM "{table}"'] if table in pristine else []
                laying.append(
                    f'INSERT INTO "{table}" ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {schema}."{table}"'
                )
    return ";\n".join(laying)
