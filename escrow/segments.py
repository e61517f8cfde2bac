"""Writes and reads the segments of an archive: Parquet files in a folder or an object store, each chained to the one before.

A segment's digest is made of the digest of the segment before it and of every row, so whoever has noted one digest elsewhere
can tell that nothing up to there was changed, left out or put in. The table `archives` lists the segments; a file that it
doesn't list was left by somebody who was killed, and is nothing. A segment is listed only after its file was read back and
gave the same digest. `pyarrow` comes with `earnest[archive]`.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from escrow import database
from escrow.archive_places import Unreachable as Unreachable  # who uses segments catches both
from escrow.archive_places import Unusable as Unusable
from escrow.archive_places import place_at

Row = Mapping[str, Any]
"""A row of a segment, by column."""


class Kind(StrEnum):
    """What an archive holds, a chain of segments each."""

    LOG = "log"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A file of the archive, and what is known of it."""

    kind: str
    number: int
    """From 1 on, within its kind."""
    name: str
    row_count: int
    first_key: str
    last_key: str
    digest: str

    def line(self) -> str:
        """How it is told to whoever keeps the digest elsewhere."""
        span = f"{self.first_key} to {self.last_key}"
        return f"{self.kind} {self.number}: {self.row_count} rows, {span}, {self.name}, {self.digest}"


class Store:
    """Where the files lie: a folder, or an object store's URL (`escrow.archive_places`)."""

    def __init__(self, url: str) -> None:
        """Refuses with `Unusable` for what is neither, and without `pyarrow`."""
        _parquet()  # found missing now rather than in the middle
        self._place = place_at(url)

    async def must_answer(self) -> None:
        """Refuses with `Unreachable` if nothing can be told of what lies there."""
        await asyncio.to_thread(self._place.must_answer)

    async def must_hold_something(self) -> None:
        """Refuses with `Unusable` if nothing lies here, though files are listed: then nothing can be told of any of them."""
        if await asyncio.to_thread(self._place.is_empty):
            raise Unusable(f"nothing lies in {self._place.shown}, where the archive should be: is it mounted?")

    async def must_hold(self, before: Segment | None) -> None:
        """Refuses with `Unusable` if the segment after which others are to be written isn't here: then this is another place,
        or what should be mounted here isn't, and what is moved here would be found by nobody."""
        if before is None:
            return
        try:
            await self.get(before.name)
        except Unusable as error:
            raise Unusable(
                f"{error}; {self._place.shown} has to hold the archive so far, or at least its last files: is it mounted?"
            ) from None

    async def put(self, name: str, data: bytes) -> None:
        """Keep these bytes under this name, all of them or nothing. Refuses with `Unreachable` if that can't be done."""
        await asyncio.to_thread(self._place.put, name, data)

    async def get(self, name: str) -> bytes:
        """The bytes of that name. Refuses with `Unusable` if they can't be read, `Unreachable` if none can."""
        return await asyncio.to_thread(self._place.get, name)


def digest(before: str, rows: Sequence[Row]) -> str:
    """The digest of rows after a segment whose digest was `before` (empty for the first), in hexadecimal."""
    found = hashlib.sha256(before.encode())
    for row in rows:
        found.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
        found.update(b"\n")
    return found.hexdigest()


def to_parquet(rows: Sequence[Row], schema: Any) -> bytes:
    """The rows as a Parquet file with the columns of a `pyarrow` schema."""
    import pyarrow as pa

    sink = io.BytesIO()
    _parquet().write_table(pa.Table.from_pylist(list(rows), schema=schema), sink, compression="zstd")
    return sink.getvalue()


def from_parquet(data: bytes, schema: Any = None) -> list[Row]:
    """The rows of a Parquet file. Refuses with `Unusable` what is none, or has other columns than the schema."""
    parquet = _parquet()
    from pyarrow import ArrowException

    try:
        table = parquet.read_table(io.BytesIO(data))
        if schema is not None and not table.schema.equals(schema):
            raise Unusable(f"it has other columns: {', '.join(f'{one.name} {one.type}' for one in table.schema)}")
        rows: list[Row] = table.to_pylist()
    except (ArrowException, OSError, OverflowError, ValueError) as error:  # texts and times are only looked at as rows
        raise Unusable(f"it is no Parquet file: {error}") from None
    return rows


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise Unusable("archives are Parquet files: install earnest[archive]") from None
    return parquet


async def last(kind: Kind) -> Segment | None:
    """The segment that was listed last."""
    row = await database.fetch_row(_LAST, kind)
    return None if row is None else database.filled(Segment, row)


_LAST: Final = "SELECT * FROM archives WHERE kind = $1 ORDER BY number DESC LIMIT 1"


async def listed(kind: Kind) -> list[Segment]:
    """All segments of a kind, in the order of their chain."""
    rows = await database.fetch("SELECT * FROM archives WHERE kind = $1 ORDER BY number", kind)
    return [database.filled(Segment, row) for row in rows]


async def write(
    store: Store, kind: Kind, rows: Sequence[Row], *, before: Segment | None, schema: Any, key: str
) -> Segment:
    """Write the segment of a kind that follows `before` and list it, in the transaction that there is, if any.

    `before` is what was the last one when the rows were chosen; `key` is the column of their keys. Refuses with `Unusable` if
    what can be read back is something else, and fails with asyncpg's `UniqueViolationError` if somebody else wrote the next
    segment meanwhile: then nothing is listed.
    """
    number = before.number + 1 if before is not None else 1
    chained = before.digest if before is not None else ""
    made = digest(chained, rows)
    name = f"{kind}/{number:08}-{made[:16]}.parquet"
    await store.put(name, await asyncio.to_thread(to_parquet, rows, schema))
    if await asyncio.to_thread(digest, chained, from_parquet(await store.get(name))) != made:
        raise Unusable(f"{name} holds something else than what was written to it")
    segment = Segment(
        kind=kind,
        number=number,
        name=name,
        row_count=len(rows),
        first_key=str(rows[0][key]),
        last_key=str(rows[-1][key]),
        digest=made,
    )
    await database.execute(_LIST, *(getattr(segment, column) for column in Segment.__dataclass_fields__))
    return segment


_LIST: Final = f"""
INSERT INTO archives ({", ".join(Segment.__dataclass_fields__)}) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""  # noqa: S608 - our own columns
