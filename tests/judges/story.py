"""One story for every tool: whoever edits the tool does so by the tool's own means, and not by an adapter of ours."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import httpx

from connectors import couplings, opening, tending
from connectors.couplings import Coupling, Secrets
from connectors.sides import PlanLeave, Treaty
from escrow.database import execute, fetch_row
from tests.api.live.serving import settled
from tests.connectors.coupled import Couple
from tests.patience import PATIENCE_SECONDS

HERE: Final = Path(__file__).parent
PYTHON: Final = HERE / ".venv" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as the tool's own means show it."""

    id: str
    title: str
    text: str
    due_on: str
    is_done: bool


class Judge(Protocol):
    """Somebody in front of the tool."""

    has_dates: bool

    async def items(self) -> list[Seen]:
        """What is there."""

    async def edit(self, external_id: str, *, title: str, text: str, due_on: str) -> None:
        """Change one."""

    async def add(self, *, title: str, text: str, due_on: str) -> None:
        """Make one."""

    async def delete(self, external_id: str) -> None:
        """Take one away."""


async def play(
    couple: Couple, judge: Judge, tool: str, place: Mapping[str, str], *, token: str, restores: bool = True
) -> None:
    """From the first visit to a release; every step is asked for once and written once."""
    treaty = Treaty(plan=PlanLeave.EDIT)
    url = couple.served.url.removesuffix("/graphql")
    secrets = Secrets(key=couple.client.token or "", token=token)
    one = Coupling(
        name="judged", tool=tool, contract_id=couple.deal.id, earnest_url=url, place=place, treaty=treaty,
        secrets=secrets, poll_seconds=36_000,
    )  # fmt: skip
    others = {item.id for item in await judge.items()}
    assert await couplings.add(one)
    assert await visit() == 3
    assert await visit() == 0, "nothing is an echo"
    mine = await ours(judge, others)
    assert sorted(item.title for item in mine) == ["Milestone 1", "Milestone 2", "Milestone 3"]
    first, _, third = sorted(mine, key=lambda item: item.title)
    assert first.text.endswith(", PLANNED")

    await _is_found_unlisted(one, third)

    await judge.edit(first.id, title="Drafts", text=first.text.replace(first.text[:8], "Ten new "), due_on="2031-04-05")
    assert await visit() == 1, "one edit for three fields, and nothing back"
    plan = await couple.plan()
    assert plan[0]["title"] == "Drafts"
    assert plan[0]["purpose"].startswith("Ten new ")
    assert plan[0]["dueOn"] == "2031-04-05" or not judge.has_dates

    await couple.client.done("editMilestone", {"milestoneId": plan[1]["id"], "title": "Pages"}, "milestone { id }")
    assert await visit() == 1
    assert "Pages" in [item.title for item in await ours(judge, others)]

    await judge.edit(third.id, title=third.title, text="No footer, 9.00 USD, RELEASED", due_on=third.due_on)
    assert await visit() == 2, "the purpose is taken, the footer comes back"
    assert [item.text for item in await ours(judge, others) if item.title == third.title] == [
        f"No footer, 9.00 USD, RELEASED\n\n-- Earnest {plan[2]['id']}: 300.00 USD, PLANNED"
    ]

    await judge.add(title="Extra", text="More\n\nPrice: 75.50", due_on="2031-05-06")
    assert await visit() == 2, "added, and marked"
    added = (await couple.plan())[3]
    assert (added["title"], added["amount"]) == ("Extra", {"amount": "75.50"})

    for milestone, title in ((plan[1], "Extra"), (added, "Pages")):
        await couple.client.done("editMilestone", {"milestoneId": milestone["id"], "title": title}, "milestone { id }")
    assert await visit() in {2, 3}, "one stands aside meanwhile, where no two may be called the same"
    swapped = {item.title: item.text for item in await ours(judge, others)}
    assert plan[1]["id"] in swapped["Extra"]
    assert added["id"] in swapped["Pages"]

    if restores:
        (pages,) = [item for item in await ours(judge, others) if item.title == "Pages"]
        await judge.delete(pages.id)
        assert await visit() == 1, "it is made again"
    await couple.deal.confirm(await couple.deal.fund())
    await couple.deal.submit()
    await couple.deal.approve()
    assert await visit() >= 1
    (drafts,) = [item for item in await ours(judge, others) if item.title == "Drafts"]
    assert drafts.is_done
    assert drafts.text.endswith("100.00 USD, RELEASED")
    assert await visit() == 0
    assert len(await ours(judge, others)) == len(await couple.plan()) == 4
    row = await fetch_row("SELECT problem FROM couplings")
    assert row is not None
    assert row["problem"] is None


async def _is_found_unlisted(one: Coupling, made: Seen) -> None:
    """What was made last is found though a listing leaves it out; where listings never do, nobody looks."""
    tool = opening.tool_of(one)
    listed = await tool.read()
    there = {name: item for name, item in listed.items.items() if name != made.id}
    mark = listed.items[made.id].mark
    assert mark is not None
    found = await tool.seek(mark, replace(listed, items=there))
    assert (found is None) if tool.unseen_seconds == 0 else (found is not None and found.id == made.id)
    assert await tool.seek("mil_nobodys", listed) is None
    await tool.close()


async def ours(judge: Judge, others: set[str]) -> list[Seen]:
    """What wasn't there before."""
    return [item for item in await judge.items() if item.id not in others]


async def visit() -> int:
    """Have the coupling looked at; how often it wrote, to either side."""
    await settled()
    await couplings.ring("judged")
    (leased,) = await couplings.lease(1)
    before = await fetch_row("SELECT writes FROM couplings")
    await tending.visit(leased)
    after = await fetch_row("SELECT writes, problem FROM couplings")
    assert before is not None
    assert after is not None
    assert after["problem"] is None, after["problem"]
    await execute("UPDATE couplings SET due_at = clock_timestamp() + interval '1 day'")
    return int(after["writes"]) - int(before["writes"])


async def run(*command: str, cwd: Path) -> str:
    """What a program of the judges' environment printed, which must succeed."""
    process = await asyncio.create_subprocess_exec(str(PYTHON), *command, cwd=cwd, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@contextlib.asynccontextmanager
async def started(*command: str, url: str, cwd: Path, **environ: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server of the judges' environment, once it answers; ended with the block."""
    with (cwd / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(PYTHON), *command, cwd=cwd, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin", **environ}
        )
    try:
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as http:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await _answers(http):
                    assert process.returncode is None, (cwd / "server.log").read_text()
                    await asyncio.sleep(0.1)
            yield http
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        await http.get("/")
    except httpx.TransportError:
        return False
    return True
