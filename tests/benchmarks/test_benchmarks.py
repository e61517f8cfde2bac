"""The sides of a comparison answer alike, and what is printed has its place on the page; nothing is timed here."""

from __future__ import annotations

import asyncio
import platform
import shutil
import subprocess
import sys
from typing import cast

import pytest

from earnest.engines import Engines
from tests.benchmarks import __main__ as bench
from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.options import Options
from tests.benchmarks.peers import sides
from tests.benchmarks.peers.operations import OPERATIONS
from tests.benchmarks.tables import PAGE, Table, put
from tests.earnest.running import clean_environment
from tests.engines import TestServer
from tests.workers.process import ROOT

NAMES = (
    "backlog", "commands", "deadlines", "execution", "forgetting", "growth", "hostile", "keys", "live", "parts", "peers",
    "peers-cpu", "pixels", "prices", "reading", "restore", "sequencer", "shards", "shards-hot", "shards-servers", "sizes",
    "webhooks",
)  # fmt: skip


def test_every_table_has_one_place_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in NAMES if text.count(f"<!-- {name} -->") != 1] == []
    assert set(PARTS) <= set(NAMES)


def test_a_table_is_put_where_the_one_before_was() -> None:
    page = "Before\n<!-- one -->\nold\n<!-- end -->\n<!-- two -->\n<!-- end -->\nAfter"
    table = Table("one", "Said", ["what", "how many"], [["this", "3"]])
    text = put([table], put([table], page))
    assert text.startswith("Before\n<!-- one -->\n\nSaid\n\n| what | how many |\n| --- | ---: |\n| this | 3 |\n")
    assert f"| this | 3 |\n\n*Python {platform.python_version()}*\n\n<!-- end -->" in text
    assert text.endswith("<!-- end -->\n<!-- two -->\n<!-- end -->\nAfter")
    assert "old" not in text
    with pytest.raises(LookupError):
        put([Table("three", "", [], [])], page)


async def test_a_part_that_fails_or_takes_too_long_is_said_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    async def good(*_: object) -> list[Table]:
        return [Table("one", "Said", ["what"], [["this"]])]

    async def bad(*_: object) -> list[Table]:
        raise TimeoutError("of its own")

    async def endless(*_: object) -> list[Table]:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("endless")
        return []

    parts = {"endless": bench.Part(endless, minutes_max=0.001), "bad": bench.Part(bad), "good": bench.Part(good)}
    monkeypatch.setattr(bench, "PARTS", parts)
    server = TestServer(cast("Engines", None))
    found = [await bench._measured(name, server, "", Options(), write=False) for name in parts]
    assert [one.failure for one in found] == ["not ended within 0.001 minutes", "failed: TimeoutError", None]
    assert cleaned == ["endless"]
    said = capsys.readouterr().out
    assert said.count("| this |") == 1
    assert [row[2] for row in bench._summary(found).rows] == [*(one.failure or "measured" for one in found), " "]


def run(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    """`make bench` with these arguments and this search path, on engines of its own."""
    program = (sys.executable, "-m", "tests.benchmarks", *arguments)
    environ = {**clean_environment(), "PATH": path}
    return subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)


def test_without_node_all_other_sides_answer_alike_and_one_line_says_who_is_missing() -> None:
    done = run("peers", "--rounds", "1", "--contracts", "160", "--seconds", "0.05", path="")
    assert done.stderr == "PostGraphile is left out: it needs Node and npm, which are not on the PATH\n"
    assert "| operation | Earnest | hand-written | hand-written, keys kept | Strawberry with Tortoise |" in done.stdout
    assert [one.name for one in OPERATIONS if done.stdout.count(f"\n| {one.name} |") != 2] == []


def test_what_has_statements_of_its_own_is_measured_to_its_end() -> None:
    """Those of the tables and of the product change, and nobody measures every day."""
    sizes = ("--listed=2000", "--waiting=200", "--rounds=1", "--deliveries=2000")
    said = run("reading", "sequencer", "forgetting", *sizes, path="/usr/bin:/bin").stdout
    for table in ("| changes, from the middle |", "| Earnest, one at a time |", "| forgetting |"):
        assert table in said


def test_a_node_that_is_too_old_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(sides, "_install", lambda _: None)
    monkeypatch.setattr(sides, "_major", lambda _: 18)
    with pytest.raises(sides.NoNode, match="PostGraphile is left out: it needs Node 22 or newer"):
        sides.installed_node()
