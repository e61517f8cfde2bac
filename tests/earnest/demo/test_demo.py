"""The demo, through real processes: it ends with a completed contract and clean books, whatever happens to its worker."""

import asyncio
import base64
import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from earnest.api_client import Api, Refused, Unreachable
from earnest.demo.people import KEYS_FILE, TOLD_FILE, People, load, make_people, play, read_keys
from earnest.demo.website import Website
from earnest.operator import found_operator, the_operator
from earnest.run.embedded import DIRECTORY
from earnest.run.refusing import CannotStart
from earnest.run.supervisor import wait_until_healthy
from escrow import ids, pipeline
from escrow.access import Scope
from escrow.accounts import commands, tokens
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from tests.earnest.commanding import begin
from tests.earnest.running import clean_environment, free_port, left_behind
from tests.patience import PATIENCE_SECONDS
from tests.workers.forking import Forked
from tests.workers.process import worker

READY = "Ctrl-C stops everything"


@asynccontextmanager
async def web(
    database_url: str, redis_url: str, log: Path, *, provider: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """A web process; gives its address.

    `provider` has the variables of another one than the sandbox, whose web process is as an operator starts it.
    """
    port = free_port()
    environ = {
        **clean_environment(),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
        "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "PORT": str(port),
        **(provider or {}),
    }
    if provider is None:
        process: Forked | asyncio.subprocess.Process = begin("web", folder=log.parent, environ=environ, log=log)
    else:
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "earnest", "web"), env=environ, stdout=output, stderr=output
            )
    try:
        await wait_until_healthy("127.0.0.1", port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def operator_key() -> str:
    token = tokens.new()
    command = commands.CreateApiKey(
        account_id=await found_operator(),
        key_id=ids.new(ids.Kind.KEY),
        name="Test",
        scopes=tuple(Scope),
        token=token,
    )
    await pipeline.run(command, by=await the_operator())
    return token.text


@pytest.fixture
async def people(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """The demo's people on a deployment without a worker."""
    async with web(database, redis_url, tmp_path / "web.log") as url:
        yield await make_people(url, await operator_key())


async def assert_well_ended(contract_id: str) -> None:
    """The contract is completed, everything was paid out, and the log says the same as the tables."""
    assert await fetch_value("SELECT state FROM contracts WHERE id = $1", contract_id) == "COMPLETED"
    released = await fetch(
        "SELECT amount_minor, state FROM milestones WHERE contract_id = $1 AND revision = 2", contract_id
    )
    assert [row["state"] for row in released] == ["RELEASED"] * 5
    assert sum(row["amount_minor"] for row in released) == 5000_00
    assert await fetch_value("SELECT sum(balance_minor)::bigint FROM balances WHERE contract_id = $1", contract_id) == 0
    assert [difference async for difference in audit()] == []


async def test_the_demo_ends_with_a_completed_contract_and_a_clean_audit(
    database: str, redis_url: str, tmp_path: Path, people: People
) -> None:
    told: list[str] = []
    async with worker(database, redis_url, tmp_path / "worker.log"):
        contract_id = await play(people, told.append)
    await assert_well_ended(contract_id)
    happened = [line.split()[2] for line in told if re.match(r" *\d+  \d\d:", line)]
    stored = await fetch("SELECT type, occurred_at FROM events WHERE stream_id = $1 ORDER BY sequence", contract_id)
    assert happened == [row["type"] for row in stored], "each event is told once, in order"
    days = [row["occurred_at"].date().isoformat() for row in stored]
    new_days = [day for before, day in pairwise(["", *days]) if day != before]
    assert [line.strip() for line in told if re.fullmatch(r" {6}\d{4}-\d\d-\d\d", line)] == new_days
    assert len(new_days) > 1, "two of them passed by the test clock"
    assert told[-1].split() == ["0.00", "USD", "together"]
    for fact in ("contract.revised", "deposit.failed", "milestone.changes_requested", "milestone.edited"):
        assert happened.count(fact) == 1
    assert happened.count("milestone.submitted") == 5, "one was approved without a submission, one submitted twice"
    assert happened[-1] == "payout.paid"
    (silent,) = [line for line in told if "AUTO_RELEASED" in line]
    assert "Developing content" in silent
    assert happened[happened.index("milestone.deadline_approaching") + 1] == "milestone.released"


async def test_a_worker_killed_again_and_again_during_the_demo_leaves_a_clean_audit(
    database: str, redis_url: str, tmp_path: Path, people: People
) -> None:
    playing = asyncio.create_task(play(people, lambda _: None))
    try:
        for point in ("before_the_call", "after_the_call", "before_the_report", "after_the_report"):
            async with worker(database, redis_url, tmp_path / f"{point}.log", point=point) as dying:
                assert await dying.exit_code() == -signal.SIGKILL
            # The lease's end, without waiting for it.
            await fetch("UPDATE payment_orders SET due_at = now() WHERE lease_token IS NOT NULL")
        async with worker(database, redis_url, tmp_path / "last.log"):
            contract_id = await playing
    finally:
        playing.cancel()
    await assert_well_ended(contract_id)
    doubled = "SELECT count(*) FROM sandbox_charges c WHERE calls > 1"
    assert await fetch_value(doubled) == 0


async def test_the_first_half_leaves_work_for_the_client_and_the_deposit_behind_it_held(
    database: str, redis_url: str, tmp_path: Path, people: People
) -> None:
    story = Website(
        client=Api(people.url, people.client.key),
        freelancer=Api(people.url, people.freelancer.key),
        say=lambda _: None,
        show=lambda _: None,
    )
    async with worker(database, redis_url, tmp_path / "worker.log"):
        await story.first_half(people.client.account, people.freelancer.account)
    rows = await fetch("SELECT title, state FROM milestones WHERE revision = 2 ORDER BY position")
    assert [tuple(row) for row in rows] == [
        ("Starting the project", "RELEASED"),
        ("Approving the wireframe", "SUBMITTED"),
        ("Finalizing page design", "PLANNED"),
        ("Developing content", "PLANNED"),
        ("Testing and QA", "PLANNED"),
    ]


async def test_a_start_that_was_broken_off_in_the_middle_of_the_story_is_made_up_for_once(
    database: str, redis_url: str, tmp_path: Path, people: People
) -> None:
    elsewhere = replace(people, url="http://127.0.0.1:9")  # where the start before was
    (tmp_path / KEYS_FILE).write_text(json.dumps(asdict(elsewhere)))
    client, freelancer = Api(people.url, people.client.key), Api(people.url, people.freelancer.key)
    broken_off = Website(client=client, freelancer=freelancer, say=lambda _: None, show=lambda _: None)
    await broken_off._agree(people.client.account, people.freelancer.account)

    async def submitted() -> list[int]:
        sql = "SELECT count(*) FILTER (WHERE state = 'SUBMITTED') AS n FROM milestones WHERE revision = 2"
        return [row["n"] for row in await fetch(f"{sql} GROUP BY contract_id ORDER BY n")]

    async with worker(database, redis_url, tmp_path / "worker.log"):
        assert await load(people.url, database_url=database, directory=tmp_path) == people
    assert await submitted() == [0, 1]
    await load(people.url, database_url=database, directory=tmp_path)
    (tmp_path / TOLD_FILE).unlink()  # as former releases left it
    await load(people.url, database_url=database, directory=tmp_path)
    assert await submitted() == [0, 1]
    assert (tmp_path / TOLD_FILE).read_text() == f"{people.client.account}\n"


async def test_a_start_that_was_broken_off_before_the_keys_were_written_leaves_nobody_twice(
    database: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do, asked = Api.do, 0

    async def broken_off(api: Api, *words: str, **given: Any) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked == 4:  # two accounts, of which the second has no key
            raise asyncio.CancelledError
        return await do(api, *words, **given)

    async with web(database, redis_url, tmp_path / "web.log") as url:
        with monkeypatch.context() as patched:
            patched.setattr(Api, "do", broken_off)
            with pytest.raises(asyncio.CancelledError):
                await make_people(url, await operator_key())
        found = await make_people(url, await operator_key())
        for person in found.by_role().values():
            viewer = (await Api(url, person.key).ask("query Who { viewer { accountId } }"))["viewer"]
            assert viewer["accountId"] == person.account
    names = [row["name"] for row in await fetch("SELECT name FROM accounts WHERE NOT is_operator ORDER BY name")]
    assert names == ["Fair Minds", "Harbour Bakery", "Ines Duarte"]


async def test_a_wrong_key_is_refused_with_its_code_and_a_wrong_address_with_one_line(people: People) -> None:
    with pytest.raises(Refused) as refused:
        await Api(people.url, "ek_wrong").ask("query Who { viewer { accountId } }")
    assert refused.value.code == "UNAUTHENTICATED"
    with pytest.raises(Unreachable, match="no answer from"):
        await Api(f"http://127.0.0.1:{free_port()}", people.client.key).ask("query Who { viewer { accountId } }")


async def test_a_refused_mutation_says_why(people: People) -> None:
    with pytest.raises(Refused) as refused:
        await Api(people.url, people.client.key).do("approveMilestone", "contract { id }", milestoneId="mil_unheard_of")
    assert refused.value.code == "NOT_FOUND"


def test_a_damaged_keys_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / KEYS_FILE
    assert read_keys(path) is None
    for content in ("{", "[]", '{"url": "http://x"}', '{"url": "http://x", "client": {"account": "acc_1"}}'):
        path.write_text(content)
        with pytest.raises(CannotStart, match="is damaged"):
            read_keys(path)
    with pytest.raises(CannotStart, match=r"the keys can't be read from .*: Is a directory"):
        read_keys(tmp_path)


# -- with everything that a person would start --------------------------------------------------------------------


@asynccontextmanager
async def up(root: Path) -> AsyncIterator[str]:
    """`earnest up` in a folder, ready; gives what it said so far."""
    (root / "Procfile").write_text("web: earnest web\nworker: earnest worker\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "earnest", "up"),
        cwd=root,
        env=clean_environment() | {"PORT": str(free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while READY not in said:
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()


async def demo(root: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """`earnest demo` in a folder: its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "earnest", "demo", *arguments),
        cwd=root,
        env=clean_environment() | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def contracts(people: People) -> list[str]:
    found = await Api(people.url, people.client.key).ask(
        "query All { contracts { edges { node { id state progress { released } } } } }"
    )
    return sorted(f"{e['node']['state']} {e['node']['progress']['released']}" for e in found["contracts"]["edges"])


async def _opened(url: str, code: str) -> str:
    """The token of the session that a link opens, for somebody without a key."""
    query = "mutation ($code: String!) { openSession(input: { code: $code }) { token } }"
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
        answer = await http.post(f"{url}/graphql", json={"query": query, "variables": {"code": code}})
    token: str = answer.json()["data"]["openSession"]["token"]
    return token


async def test_up_makes_keys_and_a_contract_once_and_the_demo_plays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / DIRECTORY / KEYS_FILE
    async with up(tmp_path) as said:
        first = read_keys(path)
        assert first is not None
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for role, person in first.by_role().items():
            assert re.search(rf"{role} +{person.key}", said), said
        codes = {}
        for role in ("client", "freelancer"):
            link = re.search(rf"as the {role}: {re.escape(first.url)}/console#(el_\w+)", said)
            assert link is not None, said
            codes[role] = link[1]
            opened = await _opened(first.url, link[1])
            viewer = await Api(first.url, opened).ask("query Who { viewer { accountId } }")
            assert viewer["viewer"]["accountId"] == first.by_role()[role].account
        assert await contracts(first) == ["ACTIVE 1"]
        code, told = await demo(tmp_path, "--yes")
        assert code == 0, told
        assert told.rstrip().endswith("together")
        assert "Each of these events came as a webhook, too" in told
        assert await contracts(first) == ["ACTIVE 1", "COMPLETED 5"]
        left = await Api(first.url, first.client.key).ask(
            "query Left { viewer { account { webhookEndpoints { id } } } }"
        )
        assert left["viewer"]["account"]["webhookEndpoints"] == []
    async with up(tmp_path) as said:
        assert not [code for code in codes.values() if code in said], "each start has links of its own"
        second = read_keys(path)
        assert second is not None
        assert second.by_role() == first.by_role()
        assert second.url != first.url, "the port is another one, and the file says so"
        assert await contracts(second) == ["ACTIVE 1", "COMPLETED 5"]


async def test_the_demo_alone_brings_its_own_deployment_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary, here = tmp_path / "temporary", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    code, told = await demo(here, "--bodies", TMPDIR=str(temporary))
    assert code == 0, told
    assert told.rstrip().endswith("together")
    bodies = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert bodies[-1]["type"] == "payout.paid"
    assert list(temporary.iterdir()) == list(here.iterdir()) == []
    assert left_behind(temporary) == []


async def test_the_demo_against_an_address_needs_keys_for_it(tmp_path: Path) -> None:
    code, told = await demo(tmp_path, "--url", "http://127.0.0.1:9")
    assert code == 2
    assert "There are no keys" in told
    assert len(told.splitlines()) == 1
