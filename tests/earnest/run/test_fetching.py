"""Fetching the explorer: a stand-in for npm packs what a test says, and only what is as pinned arrives."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from api.console import pinned
from api.console.pinned import PinnedFile
from earnest.run import fetching, steps
from earnest.run.fetching import NotFetched, fetch
from earnest.run.steps import Deployment
from escrow.settings import PaymentProvider, Settings

BODIES = {"one.js": b"one", "two.css": b"two {}"}


@pytest.fixture(autouse=True)
def pins(monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(
        PinnedFile(name=name, package="thing@1.2.3", path=f"dist/{name}", sha256=hashlib.sha256(body).hexdigest())
        for name, body in BODIES.items()
    )
    monkeypatch.setattr(pinned, "files", lambda: files)


def npm(folder: Path, script: str) -> Path:
    """A program in the place of npm."""
    path = folder / "npm"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def packing(folder: Path, bodies: dict[str, bytes]) -> Path:
    """An npm that packs these files of `thing` 1.2.3, and notes what it was asked."""
    package = folder / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, body in bodies.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return npm(
        folder,
        "import pathlib, shutil, sys\n"
        f"pathlib.Path({str(folder / 'asked')!r}).write_text('\\n'.join(sys.argv[1:]))\n"
        "into = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
        f"shutil.copy({str(package)!r}, pathlib.Path(into) / 'thing-1.2.3.tgz')\n",
    )


async def test_what_is_as_pinned_arrives_and_is_not_asked_for_twice(tmp_path: Path) -> None:
    program, folder = packing(tmp_path, BODIES), tmp_path / "build" / "explorer"
    assert await fetch(folder, npm=str(program)) == ["thing@1.2.3"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == BODIES
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[0] == "pack"
    assert "--ignore-scripts" in asked
    assert asked[-1] == "thing@1.2.3"
    (tmp_path / "asked").unlink()
    assert await fetch(folder, npm=str(program)) == []
    assert not (tmp_path / "asked").exists()


async def test_a_file_that_was_changed_is_fetched_again(tmp_path: Path) -> None:
    program, folder = packing(tmp_path, BODIES), tmp_path / "explorer"
    await fetch(folder, npm=str(program))
    (folder / "one.js").write_bytes(b"other")
    assert await fetch(folder, npm=str(program)) == ["thing@1.2.3"]
    assert (folder / "one.js").read_bytes() == BODIES["one.js"]


@pytest.mark.parametrize(
    ("bodies", "why"),
    [
        (BODIES | {"one.js": b"harm"}, "dist/one.js of thing@1.2.3 is not the file that was pinned"),
        ({"one.js": b"one"}, "thing@1.2.3 has no dist/two.css"),
    ],
)
async def test_what_is_not_as_pinned_is_refused_as_a_whole(tmp_path: Path, bodies: dict[str, bytes], why: str) -> None:
    with pytest.raises(NotFetched, match=why):
        await fetch(tmp_path / "explorer", npm=str(packing(tmp_path, bodies)))
    assert not (tmp_path / "explorer").exists()


async def test_an_npm_that_fails_is_quoted_by_its_last_line(tmp_path: Path) -> None:
    program = npm(tmp_path, "import sys; print('a\\nnetwork is down\\n', file=sys.stderr); sys.exit(1)")
    with pytest.raises(NotFetched, match="npm pack failed: network is down"):
        await fetch(tmp_path / "explorer", npm=str(program))


async def test_an_npm_that_packs_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="has no dist/one"):
        await fetch(tmp_path / "explorer", npm=str(npm(tmp_path, "")))


async def test_without_npm_it_is_said_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="install Node"):
        await fetch(tmp_path / "explorer", npm=str(tmp_path / "nothing"))


def hanging(folder: Path) -> Path:
    """An npm that says who it is and then hangs."""
    note = folder / "pid"
    return npm(
        folder,
        "import os, pathlib, time\n"
        f"part = pathlib.Path({str(note)!r} + '.part')\npart.write_text(str(os.getpid()))\npart.rename({str(note)!r})\n"
        "time.sleep(3600)\n",
    )


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_an_npm_that_hangs_is_ended_when_nobody_waits_any_more(tmp_path: Path) -> None:
    fetched = asyncio.create_task(fetch(tmp_path / "explorer", npm=str(hanging(tmp_path))))
    while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process tells us nothing
        await asyncio.sleep(0.01)
    fetched.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetched
    assert is_gone(int((tmp_path / "pid").read_text()))


async def test_an_npm_that_hangs_is_ended_after_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 0.0)
    with pytest.raises(NotFetched, match="npm took longer than"):
        await fetch(tmp_path / "explorer", npm=str(hanging(tmp_path)))
    assert not (tmp_path / "explorer").exists()


# -- as a step of a start -------------------------------------------------------------------------------------------


def deployment(*, explorer: bool) -> Deployment:
    settings = Settings(
        database_url="", redis_url="", secret_keys=(), payment_provider=PaymentProvider.SANDBOX, explorer=explorer
    )
    return Deployment(settings=settings, directory=None)


def test_a_start_says_in_one_line_that_it_could_not_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing() -> list[str]:
        raise NotFetched("npm pack failed: network is down")

    monkeypatch.setattr(fetching, "fetch", failing)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/npm")
    (line,) = asyncio.run(steps.fetch_explorer(deployment(explorer=True)))
    assert "network is down" in line
    assert "make explorer" in line


@pytest.mark.parametrize(("explorer", "npm_at"), [(False, "/usr/bin/npm"), (True, None)])
def test_where_none_is_wanted_or_npm_is_missing_a_start_says_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, explorer: bool, npm_at: str | None
) -> None:
    async def unexpected() -> list[str]:
        raise AssertionError("nothing was to be fetched")

    monkeypatch.setattr(fetching, "fetch", unexpected)
    monkeypatch.setattr(shutil, "which", lambda _: npm_at)
    assert asyncio.run(steps.fetch_explorer(deployment(explorer=explorer))) == []
