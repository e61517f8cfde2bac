"""`earnest archive` and `earnest audit --archive` with a real object store, SeaweedFS, by its S3 interface and its signatures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import pytest_asyncio
from pyarrow import fs

from escrow import archive_places, archived_log, segments
from escrow.segments import Kind, Store
from tests.earnest.running import free_port
from tests.earnest.test_audit_and_erase import earnest
from tests.escrow.test_archived_log import filled
from tests.judges.story import HERE
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.delivery.test_archived_deliveries import ALL
from tests.webhooks.partner import states
from tests.webhooks.test_audit import prepared
from webhooks.delivery import archived_deliveries

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "the-archivists-own-secret"
READERS_SECRET: Final = "who-may-only-read"
BUCKET: Final = "earnest"
MAY: Final = {"archivist": (SECRET, ["Read", "Write", "List", "Admin"]), "reader": (READERS_SECRET, ["Read", "List"])}


@dataclass(slots=True)
class Storage:
    """The object store, and somebody who goes past Earnest."""

    url: str
    process: asyncio.subprocess.Process

    @property
    def place(self) -> str:
        return f"s3://{BUCKET}/copies/of/it?region=us-east-1&endpoint_override={quote(self.url, safe='')}"

    @property
    def bucket(self) -> Any:
        return fs.SubTreeFileSystem(f"{BUCKET}/copies/of/it", self.files)

    @property
    def files(self) -> Any:
        return fs.S3FileSystem(
            access_key="archivist",
            secret_key=SECRET,
            endpoint_override=self.url,
            region="us-east-1",
            allow_bucket_creation=True,
        )

    def names(self) -> list[str]:
        found = self.bucket.get_file_info(fs.FileSelector("", recursive=True, allow_not_found=True))
        return sorted(one.path for one in found if one.is_file)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stored(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Storage]:
    """The store with its bucket, gone at the end."""
    async with _started(tmp_path_factory.mktemp("weed")) as storage:
        yield storage


@pytest_asyncio.fixture(loop_scope="session")
async def storage(stored: Storage, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The store with nothing in it, for a process that has the archivist's credentials."""
    stored.files.delete_dir_contents(f"{BUCKET}/copies", missing_dir_ok=True)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "archivist")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return stored


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[Storage]:
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": secret}],
            "actions": [f"{action}:{BUCKET}" for action in actions],
        }
        for name, (secret, actions) in MAY.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    url = f"http://127.0.0.1:{(port := free_port())}"
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = {name: port if name == "s3.port" else free_port() for name in names}
    kinds = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={folder / 's3.json'}"]
    small = [
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=8",
        "-master.telemetry=false",
    ]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(HERE / ".venv" / "bin" / "weed"),
            *("server", f"-dir={folder / 'data'}", *kinds, *small),
            *(f"-{name}={number}" for name, number in ports.items()),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        storage = Storage(url, process)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await asyncio.to_thread(_answers, storage):
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        yield storage
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for number in ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                left.unlink()


def _answers(storage: Storage) -> bool:
    """Whether it stores something, which it does only a while after it listens."""
    try:
        storage.files.create_dir(BUCKET)
        with storage.files.open_output_stream(f"{BUCKET}/tried") as stream:
            stream.write(b"it")
    except OSError:
        return False
    return True


async def archived(storage: Storage, database: str, redis_url: str) -> tuple[int, str, str]:
    return await earnest(database, redis_url, "archive", storage.place, "--before", "2100-01-01")


async def audited(storage: Storage, database: str, redis_url: str) -> tuple[int, str, str]:
    return await earnest(database, redis_url, "audit", "--archive", storage.place)


async def test_everything_goes_there_is_read_back_and_what_is_altered_or_missing_is_named(
    storage: Storage, database: str, redis_url: str
) -> None:
    await prepared()
    code, said, complaints = await archived(storage, database, redis_url)
    assert (code, complaints) == (0, ""), said
    made = await segments.listed(Kind.LOG) + await segments.listed(Kind.DELIVERIES)
    assert [one.kind for one in made] == ["log", "deliveries"]
    assert storage.names() == sorted(one.name for one in made)
    assert await states() == {"PENDING": 5}, "the delivered ones are there now"
    code, said, complaints = await audited(storage, database, redis_url)
    assert (code, complaints) == (0, ""), said

    logged, delivered = made
    rows = segments.from_parquet(storage.bucket.open_input_stream(logged.name).read())
    less = segments.to_parquet(rows[1:], archived_log._schema())
    whole = storage.bucket.open_input_stream(logged.name).read()
    other = storage.bucket.open_input_stream(delivered.name).read()
    for content, words in ((less, "digest"), (other, "file"), (whole[: len(whole) // 2], "file"), (b"", "file")):
        with storage.bucket.open_output_stream(logged.name) as stream:
            stream.write(content)
        found = [str(one) async for one in archived_log.audit_archived_log(Store(storage.place))]
        assert any(one.startswith(f"{logged.name}: {words}: expected") for one in found), found
    with storage.bucket.open_output_stream(logged.name) as stream:
        stream.write(whole)
    storage.bucket.delete_file(delivered.name)
    code, said, _ = await audited(storage, database, redis_url)
    # The file that is missing, the last one of each kind, and how much is wrong.
    assert (code, len(said.splitlines())) == (1, 4), said
    assert said.startswith(f"{delivered.name}: file: expected 'deliveries', found '{delivered.name} is not in s3://")


async def test_who_may_not_is_told_so_in_one_line_without_a_secret_and_nothing_is_lost(
    storage: Storage, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared()
    before = await states()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-it")
    for asked in (archived, audited):
        code, said, complaints = await asked(storage, database, redis_url)
        assert (code, said) == (2, ""), complaints
        assert "s3://earnest/copies/of/it can't be listed: " in complaints
        assert "SIGNATURE_DOES_NOT_MATCH" in complaints
        assert len(complaints.splitlines()) == 1, complaints
        assert "not-the-secret-of-it" not in complaints
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(segments.Unreachable, match="INVALID_ACCESS_KEY_ID"):
        await Store(storage.place).must_answer()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READERS_SECRET)
    reading = Store(storage.place)
    await reading.must_answer()
    with pytest.raises(segments.Unreachable, match="can't be written to s3://earnest/copies/of/it: "):
        [one async for one in archived_deliveries.move(reading, kept=ALL)]
    assert (await states(), storage.names(), await segments.listed(Kind.LOG)) == (before, [], [])


async def test_a_writer_that_is_killed_while_it_sends_leaves_nothing_that_anybody_sees(
    storage: Storage, database: str, redis_url: str
) -> None:
    last = await filled()
    environ = os.environ | {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "EARNEST_SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
    }
    command = ("-c", KILLED_WHILE_SENDING, "archive", storage.place, "--before", "2100-01-01")
    killed = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, env=environ)
    assert await killed.wait() == -signal.SIGKILL
    assert (storage.names(), await segments.listed(Kind.LOG)) == ([], [])
    code, said, complaints = await archived(storage, database, redis_url)
    assert (code, complaints) == (0, ""), said
    assert [one.row_count for one in await segments.listed(Kind.LOG)] == [last]
    code, said, complaints = await audited(storage, database, redis_url)
    assert (code, complaints) == (0, ""), said


@pytest.mark.usefixtures("database")
async def test_a_store_that_stops_answering_is_left_after_a_while_and_deliveries_stay(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared()
    before = await states()
    store = Store(storage.place)
    await store.put("log/one", b"one")
    monkeypatch.setattr(archive_places, "SILENCE_SECONDS", 0.5)
    impatient = Store(storage.place)
    storage.process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(segments.Unreachable, match="can't be written"):
                [one async for one in archived_deliveries.move(impatient, kept=ALL)]
            with pytest.raises(segments.Unreachable, match="can't be listed"):
                await impatient.get("log/one")
    finally:
        storage.process.send_signal(signal.SIGCONT)
    assert await states() == before
    assert await store.get("log/one") == b"one"


KILLED_WHILE_SENDING: Final = """
import os, signal, sys
from earnest.cli import main
from escrow.archive_places import ObjectStore

def put(self, name, data):
    stream = self._files.open_output_stream(name)
    stream.write(data.ljust(11_000_000, b"."))  # more than one part: the first ones are there
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)

ObjectStore.put = put
main(sys.argv[1:])
"""
