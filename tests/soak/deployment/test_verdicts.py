"""The judges on a database where everything is right, and what they say as soon as one thing is told otherwise."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from earnest.engines import Engines
from escrow import cursors, log, sweep
from escrow.agreement import commands as c
from escrow.agreement.state import Surroundings
from escrow.database import Record, fetch
from escrow.pipeline import run
from escrow.store import read
from tests.factories import Deployment, advance_clock
from tests.soak.deployment import verdicts
from tests.soak.deployment.asking import Api, Person
from tests.soak.deployment.blows import Blows
from tests.soak.deployment.deals import Crowd
from tests.soak.deployment.deals import Deal as Kept
from tests.soak.deployment.following import Follower, Mirror
from tests.soak.deployment.linearizing import Operation
from tests.soak.deployment.processes import House
from tests.soak.deployment.receiving import Receiver, disorder
from tests.soak.deployment.specification import Commanded
from tests.soak.deployment.watching import Watch
from tests.soak.judging import Wrong
from tests.soak.test_complaints import written
from tests.webhooks.partner import Arrival

NOBODY = cast("Api", None)


async def talked_about() -> Crowd:
    """A contract on which both have said something, and everything is in the log."""
    there = await Deployment.make()
    deal = await there.propose("10.00")
    kept = Kept(
        deal.id,
        deal.milestone_ids,
        random.Random(1),
        said={"run-0": "accepted", "run-1": "refused", "run-2": "unknown"},
    )
    crowd = Crowd(NOBODY, Person(there.client, ""), Person(there.freelancer, ""), "run", seed=1, deals=[kept])
    update = c.PostUpdate(contract_id=deal.id, message="run-0")
    await run(update, by=there.client)
    kept.history = [Operation(Commanded(0, update, there.client), 0, 1)]
    kept.saw("updates", ("run-0",), 2, 3)
    while await log.sequence():
        pass
    return crowd


async def test_what_was_said_is_compared_with_what_is_there(database: str) -> None:
    crowd = await talked_about()
    (deal,) = crowd.deals
    assert await verdicts.judge_effects(crowd) == 3
    for became, wrong in (("refused", "is there 1 times"), ("unknown", None)):
        deal.said["run-0"] = became
        if wrong is None:
            await verdicts.judge_effects(crowd)
            continue
        with pytest.raises(Wrong, match=wrong):
            await verdicts.judge_effects(crowd)
    deal.said["run-1"] = "accepted"
    with pytest.raises(Wrong, match=r"run-1 .* is there 0 times"):
        await verdicts.judge_effects(crowd)
    del deal.said["run-0"], deal.said["run-1"]
    with pytest.raises(Wrong, match="nobody said it"):
        await verdicts.judge_effects(crowd)


async def test_a_history_that_was_told_otherwise_is_refused_with_the_contract(database: str) -> None:
    crowd = await talked_about()
    (deal,) = crowd.deals
    assert await verdicts.judge_histories(crowd) == 2
    deal.versions = [(0, 1, 3), (2, 3, 4)]
    assert await verdicts.judge_histories(crowd) == 2
    deal.versions = [(0, 1, 4), (2, 3, 3)]
    with pytest.raises(Wrong, match="had version 3 after it had 4"):
        await verdicts.judge_histories(crowd)
    deal.versions = []
    deal.saw("updates", (), 4, 5)
    with pytest.raises(Wrong, match=f"{deal.id} can't have happened"):
        await verdicts.judge_histories(crowd)


async def test_who_missed_an_event_or_keeps_an_old_state_is_found(database: str) -> None:
    crowd = await talked_about()
    (deal,) = crowd.deals
    follower = Follower(NOBODY, crowd.client, True, random.Random(1))
    follower.heard = await verdicts.visible(crowd.client)
    rows = await fetch(verdicts._VISIBLE_SQL, crowd.client.account_id)
    mirror = Mirror(NOBODY, crowd.client, events=[row["event_id"] for row in rows])
    mirror.contracts = {deal.id: ("PROPOSED", 3)}
    mirror.milestones = dict.fromkeys(deal.milestone_ids, "PLANNED")
    assert await verdicts.judge_followers([follower], [mirror]) == 2 * len(rows)
    follower.heard.pop(1)
    mirror.contracts[deal.id] = ("PROPOSED", 2)
    follower.refused["the key was revoked"] = 3
    with pytest.raises(Wrong, match=r"3 things are wrong:\na socket was told 3 times, .*: the key was revoked"):
        await verdicts.judge_followers([follower], [mirror])


async def offered(hours: int) -> Crowd:
    """A contract whose offer stands for so long, and nobody answers it."""
    there = await Deployment.make()
    proposal = there.proposal("10.00")
    await run(replace(proposal, terms=replace(proposal.terms, windows={"offer_hours": hours})), by=there.client)
    kept = Kept(proposal.contract_id, (), random.Random(1), offer_hours=hours)
    return Crowd(NOBODY, Person(there.client, ""), Person(there.freelancer, ""), "run", seed=1, deals=[kept])


async def fire(crowd: Crowd) -> None:
    """The sweep comes, and what it did gets its places in the log."""
    await sweep.fire(crowd.deals[0].id)
    while await log.sequence():
        pass


async def test_an_offer_that_ended_at_its_time_is_right_however_late_the_sweep_came(database: str) -> None:
    crowd = await offered(hours=30)
    with pytest.raises(Wrong, match="1 offers never ended"):
        await verdicts.judge_deadlines(crowd, Watch(NOBODY))
    await advance_clock(hours=50)
    await fire(crowd)
    assert await verdicts.judge_deadlines(crowd, Watch(NOBODY)) == 1
    crowd.deals[0].offer_hours = 31
    with pytest.raises(Wrong, match="ended 1 times"):
        await verdicts.judge_deadlines(crowd, Watch(NOBODY))


async def test_a_sweep_that_asks_its_host_for_the_time_is_found_where_that_is_ahead(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd, surroundings = await offered(hours=30), read.surroundings_of

    def by_the_host(row: Record) -> Surroundings:
        return replace(surroundings(row), now=datetime.now(UTC) + timedelta(days=2))

    monkeypatch.setattr(read, "surroundings_of", by_the_host)
    await fire(crowd)
    early = f"contract.expired of {crowd.deals[0].id} came before its time"
    with pytest.raises(Wrong, match=early):
        await verdicts.judge_deadlines(crowd, Watch(NOBODY))
    await advance_clock(hours=50)
    with pytest.raises(Wrong, match=early):
        await verdicts.judge_deadlines(crowd, Watch(NOBODY))


def test_a_fault_in_a_log_is_refused_unless_a_blow_explains_it(tmp_path: Path) -> None:
    house = House(tmp_path, cast("Engines", None), {}, has_small_disk=True, begins={"web-0": 0})
    blows = Blows(house, cast("Crowd", None), Watch(NOBODY), random.Random(1), every=1)

    def says(line: str) -> dict[str, int]:
        with house.log("web-0").open("a") as into:
            into.write(line)
        return house.written()

    begun = says(written(asyncpg.CannotConnectNowError("the database system is starting up")))
    assert verdicts.judge_logs(house, blows) == 1
    full = says(written(asyncpg.DiskFullError("could not extend file\nHINT:  Check free disk space.")))
    with pytest.raises(Wrong, match=r"1 things are wrong:\na fault of ours: web-0, .* DiskFullError"):
        verdicts.judge_logs(house, blows)
    blows.full = begun, full
    assert verdicts.judge_logs(house, blows) == 2
    says(written(None, level=logging.WARNING, event="deadlines not applied together", error=KeyError("milestone")))
    with pytest.raises(Wrong, match=r"1 things are wrong:\na fault of ours: web-0, .* KeyError"):
        verdicts.judge_logs(house, blows)


def arrival(number: int, *, secret: str = "", at: int = 0) -> Arrival:
    headers = {"webhook-id": f"evt_{number}", "webhook-timestamp": str(at), "webhook-signature": f"v1,{secret}"}
    cursor = cursors.print_cursor(number)
    return Arrival(0.0, "/a", f"evt_{number}", cursor, "ctr_1", {}, headers, b"{}")


def test_a_receiver_finds_what_is_not_signed_what_is_old_and_what_is_out_of_order() -> None:
    receiver = Receiver("/a", "whsec_c2VjcmV0")
    receiver(arrival(1))
    assert receiver.wrong == ["evt_1 is not signed", "evt_1 is dated 0"]
    assert disorder([arrival(1), arrival(3)]) == []
    assert disorder([arrival(3), arrival(1)]) == ["evt_1 of ctr_1 was taken after a later one"]
