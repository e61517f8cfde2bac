"""`earnest connect`: couplings are set up after a look at both sides, listed, paused and removed; files need only a key."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors import couplings, opening
from connectors.sides import DoneLeave, PlanLeave
from earnest import operator
from earnest.cli import make_parser
from earnest.commands import connect
from earnest.operator import Answer
from earnest.run.refusing import CannotStart
from escrow import vault
from escrow.database import execute
from tests.api.live.serving import Served, serve
from tests.connectors.coupled import Watched
from tests.earnest.commanding import begin
from tests.factories import SECRET_KEY, Deal
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import worker_environment


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str, redis_url: str) -> AsyncIterator[Served]:
    async with serve(redis_url) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def deal(served: Served, monkeypatch: pytest.MonkeyPatch) -> Deal:
    monkeypatch.setattr(opening, "tool_of", lambda _: Watched())
    return await served.people.deployment.activate("100.00", "200.00")


async def earnest(line: str) -> Answer:
    args = make_parser().parse_args(line.split())
    return await args.handler(args, await operator.the_operator())  # type: ignore[no-any-return]


def sides(served: Served, deal: Deal, key: str) -> str:
    return f"--contract {deal.id} --key {key} --token t --earnest {served.url.removesuffix('/graphql')}"


async def test_a_coupling_is_set_up_listed_paused_resumed_and_removed(served: Served, deal: Deal) -> None:
    both = sides(served, deal, served.people.client.token or "")
    made = await earnest(f"connect github --repo Acme/Shop --webhook-secret s {both}")
    assert made.lines == ["github-acme-shop"]
    assert made.notes[0].startswith("2 milestones here, 0 items there")
    assert "without money:write" in made.notes[1]
    (leased,) = await couplings.lease(9)
    assert (leased.coupling.treaty.plan, leased.coupling.treaty.done) == (PlanLeave.EDIT, DoneLeave.UPDATE)
    with pytest.raises(CannotStart, match="already"):
        await earnest(f"connect github --repo acme/shop {both}")
    assert "github-acme-shop  ACTIVE" in (await earnest("connect list")).lines[1]
    await earnest("connect pause github-acme-shop")
    assert "PAUSED" in (await earnest("connect list")).lines[1]
    await earnest("connect resume github-acme-shop --believe-missing")
    assert (await couplings.lease(9))[0].believes
    await earnest("connect remove github-acme-shop")
    assert len((await earnest("connect list")).lines) == 1
    with pytest.raises(CannotStart, match="no coupling"):
        await earnest("connect pause github-acme-shop")


async def test_a_freelancers_tool_asks_and_may_not_edit(served: Served, deal: Deal, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{served.people.freelancer.token}\n")
    both = sides(served, deal, f"@{tmp_path / 'key'}")
    with pytest.raises(CannotStart, match="only a client"):
        await earnest(f"connect jira --url http://jira --project SHOP --plan edit {both}")
    await earnest(f"connect jira --url http://jira --project SHOP --done submit {both}")
    (leased,) = await couplings.lease(9)
    assert (leased.coupling.treaty.plan, leased.coupling.treaty.done) == (PlanLeave.ASK, DoneLeave.SUBMIT)
    assert leased.coupling.place == {"url": "http://jira", "project": "SHOP", "type": "Task"}


async def test_a_process_that_only_tends_gives_back_what_it_was_at_when_it_is_told_to_stop(
    served: Served, deal: Deal, database: str, redis_url: str, tmp_path: Path
) -> None:
    vault.use([SECRET_KEY])  # as that process does
    asked = asyncio.Event()

    async def answers_never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        asked.set()

    async with await asyncio.start_server(answers_never, "127.0.0.1", 0) as silent:
        away = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        await earnest(f"connect github --repo acme/shop {sides(served, deal, served.people.client.token or '')}")
        await execute("UPDATE couplings SET earnest_url = $1, due_at = clock_timestamp()", away)
        environ = worker_environment(database, redis_url)
        tending = begin("connect", "run", folder=tmp_path, environ=environ, log=tmp_path / "said")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asked.wait()
                assert await couplings.lease(9) == []
                tending.send_signal(signal.SIGTERM)
                assert await tending.wait() == 0, (tmp_path / "said").read_text()
        finally:
            tending.kill()
    assert len(await couplings.lease(9)) == 1


async def test_a_key_that_sees_nothing_of_the_contract_sets_nothing_up(served: Served, deal: Deal) -> None:
    stranger = await served.people.stranger()
    for key in (stranger.token or "", "ek_nonsense"):
        with pytest.raises(CannotStart):
            await earnest(f"connect trac --url http://trac {sides(served, deal, key)}")
    assert await couplings.everything() == []


async def test_a_plan_goes_out_as_a_file_and_comes_in_again(
    served: Served, deal: Deal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = sides(served, deal, served.people.client.token or "").replace("--token t ", "")
    for kind in ("csv", "ics"):
        file = tmp_path / f"plan.{kind}"
        args = make_parser().parse_args(f"connect {kind} export {both} {file}".split())
        assert await connect._export(args) == 0
        args = make_parser().parse_args(f"connect {kind} import {both} {file}".split())
        assert await connect._import(args, file.read_bytes()) == 0
        assert capsys.readouterr().out == "0 added, 0 changed, 2 the same, 0 refused\n"


def test_ctrl_c_is_heard_while_a_file_is_read_from_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Interrupted(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            signal.raise_signal(signal.SIGINT)
            ended.append("read")
            return b""

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Interrupted()))
    args = make_parser().parse_args("connect csv import --contract ctr_1 --key ek_1 -".split())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            connect.carry(args)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended == []
