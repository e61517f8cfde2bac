"""What a command reads of what its actor may not see: no more than of what isn't there. Counted, not timed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from escrow import database, ids
from escrow.access import Actor, ActorKind, Scope
from escrow.accounts import commands as accounts
from escrow.accounts import store, tokens
from escrow.agreement import commands as c
from escrow.errors import NotFound
from escrow.ids import Kind
from escrow.pipeline import foresee, run
from tests.factories import Deployment, draft

MILESTONES = 60
ROOM = 20
"""Rows more than for what isn't there: the one that leads to the contract, and those that the look at it makes of it."""

pytestmark = pytest.mark.usefixtures("untouched_database")


@asynccontextmanager
async def explained() -> AsyncIterator[list[int]]:
    """Counts, for each statement of the block, the rows that the steps of its plan give or throw away."""
    rows: list[int] = []
    fetch_row = database.fetch_row

    async def counted(sql: str, *arguments: object) -> Any:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = off")  # whether a small table is read whole is chance
            plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
        rows.append(_rows(json.loads(plan)[0]["Plan"]))
        return await fetch_row(sql, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "fetch_row", counted)
        yield rows


def _rows(step: dict[str, Any]) -> int:
    counted = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")
    own: float = step.get("Actual Loops", 0) * sum(step.get(name, 0) for name in counted)
    return int(own) + sum(_rows(inner) for inner in step.get("Plans", ()))


async def rows_of(command: c.Command | accounts.RevokeApiKey, by: Actor) -> int:
    """Of a command that finds nothing, or of one that finds something."""
    async with explained() as rows:
        with contextlib.suppress(NotFound):
            await (foresee(command, by=by) if isinstance(command, c.Command) else store.load(command, by))
    return rows[0]


async def stranger_of() -> Actor:
    return Actor(ActorKind.ACCOUNT, ids.new(Kind.ACCOUNT), scopes=frozenset(Scope))


async def test_a_stranger_reads_no_more_of_a_large_contract_than_of_none() -> None:
    there = await Deployment.make()
    deal = await there.activate(*["10.00"] * MILESTONES)
    outsider = await stranger_of()
    elsewhere = replace(there.client, contract_ids=frozenset({(await there.propose()).id}))
    await database.execute("ANALYZE contracts, milestones")
    commands: tuple[c.AddMilestone | c.Submit, ...] = (
        c.AddMilestone(contract_id=deal.id, milestone=draft()),
        c.Submit(milestone_id=deal.milestone(), submission_id=ids.new(Kind.SUBMISSION), message="done"),
    )
    for asked in commands:
        nothing = _of_nothing(asked)
        none = await rows_of(nothing, outsider)
        assert await rows_of(asked, there.client) >= none + MILESTONES, "a party reads it whole"
        assert await rows_of(asked, outsider) <= none + ROOM
        assert await rows_of(asked, elsewhere) <= none + ROOM, "nor does a key that is limited to another contract"
        with pytest.raises(NotFound) as refused, pytest.MonkeyPatch.context():
            await run(asked, by=outsider)
        with pytest.raises(NotFound) as missing:
            await run(nothing, by=outsider)
        assert (refused.value.code, refused.value.field) == (missing.value.code, missing.value.field)


def _of_nothing(command: c.AddMilestone | c.Submit) -> c.AddMilestone | c.Submit:
    """The same command on what isn't there."""
    if isinstance(command, c.Submit):
        return replace(command, milestone_id=ids.new(Kind.MILESTONE))
    return replace(command, contract_id=ids.new(Kind.CONTRACT))


async def test_a_stranger_reads_no_more_of_an_account_with_many_keys_than_of_none() -> None:
    there = await Deployment.make()
    key_ids = [ids.new(Kind.KEY) for _ in range(MILESTONES)]
    for key_id in key_ids:
        await run(
            accounts.CreateApiKey(
                account_id=there.client.account_id or "", key_id=key_id, name="k", scopes=(Scope.CONTRACTS_READ,),
                token=tokens.new(),
            ),
            by=there.operator,
        )  # fmt: skip
    outsider = await stranger_of()
    for asked, nothing in (
        (accounts.RevokeApiKey(key_id=key_ids[0]), accounts.RevokeApiKey(key_id=ids.new(Kind.KEY))),
        (
            accounts.RevokeApiKey(key_id=key_ids[0], with_descendants=True),
            accounts.RevokeApiKey(key_id=ids.new(Kind.KEY), with_descendants=True),
        ),
    ):
        seen = (await store.load(asked, outsider)).state
        assert seen is None or not (seen.keys or seen.members)
        assert await rows_of(asked, outsider) <= await rows_of(nothing, outsider) + ROOM
        whole = (await store.load(asked, there.operator)).state
        assert whole is not None
        assert len(whole.keys) >= MILESTONES


async def test_a_stranger_holds_nobody_up() -> None:
    """Its command waits for no lock of another's contract, and takes none."""
    there = await Deployment.make()
    deal = await there.activate("10.00")
    outsider = await stranger_of()
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM contracts WHERE id = $1 FOR UPDATE", deal.id)
        with pytest.raises(NotFound):
            await asyncio.wait_for(run(c.End(contract_id=deal.id), by=outsider), 60)
