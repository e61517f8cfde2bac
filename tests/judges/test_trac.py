"""A real Trac 1.6 with its database, edited by its own administration tool and read by SQL."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from connectors.tools.trac import TracMilestones, trac
from tests.connectors.coupled import Couple
from tests.earnest.running import free_port
from tests.judges import story
from tests.judges.story import Seen

SERVER = "import sys; sys.modules['multipart'] = None; from trac.web.standalone import main; main()"
"""Trac takes `multipart`, where it is there, for another library than the one of this name that Jira's stand-in brings."""

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"


class Trac:
    """An environment, and its administrator."""

    has_dates = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    async def make(cls, folder: Path) -> Trac:
        one = cls(folder)
        await story.run(
            "-m", "trac.admin.console", str(folder / "env"), "initenv", "Judge", "sqlite:db/trac.db", cwd=folder
        )
        plugin = ROOT / "connectors" / "trac_plugin" / "earnest_for_trac.py"
        await asyncio.to_thread(shutil.copy, plugin, folder / "env" / "plugins")
        await one._admin("config", "set", "earnest", "token", TOKEN)
        one._write("DELETE FROM milestone")
        return one

    async def _admin(self, *words: str) -> None:
        await story.run("-m", "trac.admin.console", str(self._folder / "env"), *words, cwd=self._folder)

    async def items(self) -> list[Seen]:
        with closing(sqlite3.connect(self._folder / "env" / "db" / "trac.db")) as connection:
            rows = connection.execute("SELECT name, description, due, completed FROM milestone").fetchall()
        return [Seen(name, name, text or "", _day(due), bool(completed)) for name, text, due, completed in rows]

    async def edit(self, external_id: str, *, title: str, text: str, due_on: str) -> None:
        self._write("UPDATE milestone SET description = ? WHERE name = ?", text, external_id)
        if due_on != next(item.due_on for item in await self.items() if item.id == external_id):
            await self._admin("milestone", "due", external_id, due_on)
        if title != external_id:
            await self._admin("milestone", "rename", external_id, title)

    async def add(self, *, title: str, text: str, due_on: str) -> None:
        await self._admin("milestone", "add", title, due_on)
        self._write("UPDATE milestone SET description = ? WHERE name = ?", text, title)

    async def delete(self, external_id: str) -> None:
        await self._admin("milestone", "remove", external_id)

    def _write(self, sql: str, *values: str) -> None:
        with closing(sqlite3.connect(self._folder / "env" / "db" / "trac.db", timeout=60)) as connection, connection:
            connection.execute(sql, values)
            # What its cache goes by when another process has written.
            connection.execute("UPDATE cache SET generation = generation + 1")


def _day(microseconds: int | None) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).date().isoformat() if microseconds else ""


async def test_a_plan_and_a_real_trac_stay_the_same(couple: Couple, tmp_path: Path) -> None:
    judge = await Trac.make(tmp_path)
    port = free_port()
    command = ("-c", SERVER, "-s", "--hostname=127.0.0.1", f"--port={port}", str(tmp_path / "env"))
    url = f"http://127.0.0.1:{port}"
    async with story.started(*command, url=url, cwd=tmp_path, TZ="UTC") as http:
        assert (await http.get("/earnest/milestones")).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert (await http.get("/earnest/milestones", headers=wrong)).status_code == 401
        assert await judge.items() == []
        await story.play(couple, judge, "trac", {"url": url}, token=TOKEN)
        tool = TracMilestones(trac(url, TOKEN))
        shown = await tool.read()
        await tool.close()
        assert all(item.updated_at is not None for item in shown.items.values())
