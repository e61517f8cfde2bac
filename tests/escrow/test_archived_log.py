"""The log in an archive: whole, in order, provable, and found altered wherever somebody altered it."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest
from pyarrow import parquet

from escrow import archived_log, database, log, segments
from escrow.audit import audit
from escrow.segments import Kind, Store
from tests.escrow.test_audit import busy

pytestmark = pytest.mark.usefixtures("database")

SIZE: Final = 7


async def filled() -> int:
    """A log with something in it, all of it in order; gives its last position."""
    await busy()
    while await log.sequence():
        pass
    return await log.last_position()


async def copied(store: Store, *, until: int) -> list[segments.Segment]:
    return [segment async for segment in archived_log.copy(store, until=until, size=SIZE)]


async def found(store: Store) -> list[str]:
    return [str(difference) async for difference in archived_log.audit_archived_log(store)]


def rows_of(folder: Path, segment: segments.Segment) -> list[segments.Row]:
    return segments.from_parquet((folder / segment.name).read_bytes())


class Dying(Store):
    """A place whose writer is killed after so many files were written, before the last of them is listed."""

    files_left = 3

    async def get(self, name: str) -> bytes:
        self.files_left -= 1
        if not self.files_left:
            raise ProcessLookupError("killed")
        return await super().get(name)


async def test_the_copy_is_the_log_event_by_event_and_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    last = await filled()
    with pytest.raises(ProcessLookupError):
        await copied(Dying(str(tmp_path)), until=last)
    assert [one.number for one in await segments.listed(Kind.LOG)] == [1, 2]
    assert len(list(tmp_path.glob("log/*.parquet"))) == 3, "a file that nobody lists"

    store = Store(str(tmp_path))
    await copied(store, until=last - 1)
    made = await segments.listed(Kind.LOG)
    assert [(int(one.first_key), int(one.last_key)) for one in made] == [
        (first, min(first + SIZE - 1, last - 1)) for first in range(1, last, SIZE)
    ]
    assert await found(store) == []
    archived = [row for segment in made for row in rows_of(tmp_path, segment)]
    entries = await log.read(after=0, limit=last - 1)
    assert [(row["position"], row["id"], row["body"], row["hash"]) for row in archived] == [
        (entry.position, entry.event_id, entry.body, entry.hash) for entry in entries
    ]
    assert await copied(store, until=last - 1) == []
    assert [one.row_count for one in await copied(store, until=last + 100)] == [1]
    assert await log.read(after=0, limit=last) == await log.read(after=0, limit=1000), "nothing of the log is gone"
    assert [difference async for difference in audit()] == []


async def test_numbers_that_no_event_has_stop_nobody(tmp_path: Path) -> None:
    last = await filled()
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE log_positions SET position = position + 1000 WHERE position > 10")
    store = Store(str(tmp_path))
    made = await copied(store, until=last + 1000)
    assert sum(one.row_count for one in made) == last
    assert (made[1].first_key, made[1].last_key) == ("8", "1014")
    assert await found(store) == []
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE log_positions SET position = 500 WHERE position = 1010 + 1")
    said = await found(store)
    assert any(f"{made[1].name} 500: event" in one for one in said), said


async def test_nothing_is_copied_to_where_the_archive_so_far_is_not(tmp_path: Path) -> None:
    last = await filled()
    made = await copied(Store(str(tmp_path / "archive")), until=SIZE)
    other = Store(str(tmp_path / "other"))
    for until in (last, SIZE):
        with pytest.raises(
            segments.Unusable, match=rf"{made[0].name} can't be read.*other has to hold .* is it mounted"
        ):
            await copied(other, until=until)
    assert not (tmp_path / "other").exists()
    assert await segments.listed(Kind.LOG) == made
    await other.put(made[0].name, (tmp_path / "archive" / made[0].name).read_bytes())
    assert (await copied(other, until=last))[0].number == 2


async def test_words_are_not_copied(tmp_path: Path) -> None:
    last = await filled()
    words = [row["body"] for row in await database.fetch("SELECT body FROM texts WHERE length(body) > 8")]
    assert words
    copies = await copied(Store(str(tmp_path)), until=last)
    said = str([row for segment in copies for row in rows_of(tmp_path, segment)])
    assert [word for word in words if word.strip('"') in said] == []


async def test_whatever_is_altered_afterwards_is_named(tmp_path: Path) -> None:
    last = await filled()
    store = Store(str(tmp_path))
    made = await copied(store, until=last)
    second = tmp_path / made[1].name
    kept = second.read_bytes()

    rows = segments.from_parquet(kept)
    schema = archived_log._schema()
    forged = dict(rows[2]) | {"body": rows[2]["body"].replace("ctr_", "ctr-")}
    second.write_bytes(segments.to_parquet([*rows[:2], forged, *rows[3:]], schema))
    said = await found(store)
    assert any("digest" in one for one in said)
    assert any(f"{made[1].name} {forged['position']}: event" in one for one in said)
    assert any(f"{forged['id']}: hash of the archived body" in one for one in said)

    second.write_bytes(segments.to_parquet(rows[:-1], schema))
    said = await found(store)
    assert any(f"{rows[-1]['position']}: event: expected '{rows[-1]['id']}" in one for one in said), said

    second.write_bytes(segments.to_parquet([*rows[:2], dict.fromkeys(rows[2]), *rows[3:]], schema))
    said = await found(store)
    assert any(f"{rows[2]['position']}: event: expected '{rows[2]['id']}" in one for one in said), said

    columns = pa.schema([one for one in schema if one.name != "hash"])
    others = segments.to_parquet([{name: row[name] for name in columns.names} for row in rows], columns)
    for broken in (b"", kept[: len(kept) // 2], others, *unreadable(kept)):
        second.write_bytes(broken)
        assert any(f"{made[1].name}: file" in one for one in await found(store))
    second.unlink()
    assert any(f"{made[1].name}: file" in one for one in await found(store))

    second.write_bytes(kept)
    assert await found(store) == []
    # Somebody with the database makes another event of it, hash and all: the audit of the tables alone can't know the first.
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "UPDATE events SET body = body || ' ', hash = encode(sha256((body || ' ')::bytea), 'hex') WHERE id = $1",
            rows[3]["id"],
        )
    assert any(f"{made[1].name} {rows[3]['position']}: event" in one for one in await found(store))


def unreadable(kept: bytes) -> list[bytes]:
    """The same file with columns of the right names that hold something else: numbers as texts, no text, no time."""
    table = parquet.read_table(io.BytesIO(kept))
    count = len(table)
    no_text = pa.array([b"\xff"] * count).view(pa.string())
    no_time = pa.array([2**62] * count).view(pa.timestamp("us", tz="UTC"))
    as_text = table.column("position").cast(pa.string())
    altered = []
    for name, column in (("position", as_text), ("body", no_text), ("occurred_at", no_time)):
        sink = io.BytesIO()
        parquet.write_table(table.set_column(table.schema.get_field_index(name), name, column), sink)
        altered.append(sink.getvalue())
    return altered


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3://archivist:hunter2@earnest/copies?region=eu-central-1", "give them as AWS_ACCESS_KEY_ID"),
        ("s3://earnest/copies?regoin=eu-central-1", "there is no regoin, only region, endpoint_override and scheme"),
        ("s3://earnest/copies", "its region is missing"),
        ("somewhere://hunter2@earnest/copies", "somewhere://earnest/copies"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_secrets(
    place: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(segments.Unusable) as refused:
        Store(place)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_two_at_once_list_each_segment_once(tmp_path: Path) -> None:
    last = await filled()
    store = Store(str(tmp_path))
    outcomes = await asyncio.gather(*(copied(store, until=last) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, list | Exception) for one in outcomes)
    await copied(store, until=last)
    made = await segments.listed(Kind.LOG)
    assert sum(one.row_count for one in made) == last
    assert await found(store) == []


async def test_a_killed_command_is_begun_again_and_its_lines_prove_the_rest(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    from tests.earnest.test_audit_and_erase import earnest

    last = await filled()
    place = str(tmp_path / "archive")
    arguments = ("archive", place, "--before", "2100-01-01", "--only-log")
    killed = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", KILLED_WHILE_WRITING, *arguments),
        cwd=Path(__file__).parents[2],
        env=os.environ
        | {
            "DATABASE_URL": database,
            "REDIS_URL": redis_url,
            "EARNEST_SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "EARNEST_SANDBOX": "on",
            "EARNEST_PAYMENT_PROVIDER": "sandbox",
        },
    )
    assert await killed.wait() == -signal.SIGKILL
    assert await segments.listed(Kind.LOG) == []
    code, said, complaints = await earnest(database, redis_url, *arguments)
    assert (code, complaints) == (0, "")
    made = await segments.listed(Kind.LOG)
    assert said.splitlines() == [f"log 1: {last} rows, 1 to {last}, {made[0].name}, {made[0].digest}"]
    assert await found(Store(place)) == []
    code, again, _ = await earnest(database, redis_url, "audit", "--archive", place)
    assert (code, again.splitlines()[0]) == (0, said.strip()), "the very line that somebody kept"
    (tmp_path / "archive" / made[0].name).unlink()
    code, said, _ = await earnest(database, redis_url, "audit", "--archive", place)
    assert (code, said.splitlines()[-1]) == (1, "1 differences.")


async def test_an_audit_of_an_archive_of_which_the_database_knows_nothing_says_so(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    from tests.earnest.test_audit_and_erase import earnest

    code, said, _ = await earnest(database, redis_url, "audit", "--archive", str(tmp_path))
    assert (code, said.splitlines()[0]) == (
        0,
        f"The database lists no file of an archive: nothing in {tmp_path} was compared.",
    )


KILLED_WHILE_WRITING: Final = """
import os, signal, sys
from earnest.cli import main
from escrow.archive_places import Folder

Folder.get = lambda self, name: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""
