"""The judges on a database where everything is right, and what they say as soon as one thing is told otherwise."""

from __future__ import annotations

import random
from typing import cast

import pytest

from escrow import cursors, log
from escrow.agreement import commands as c
from escrow.database import fetch
from escrow.pipeline import run
from tests.factories import Deployment
from tests.soak.deployment import verdicts
from tests.soak.deployment.asking import Api, Person
from tests.soak.deployment.deals import Crowd
from tests.soak.deployment.deals import Deal as Kept
from tests.soak.deployment.following import Follower, Mirror
from tests.soak.deployment.linearizing import Operation
from tests.soak.deployment.receiving import Receiver, disorder
from tests.soak.deployment.specification import Commanded
from tests.soak.judging import Wrong
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
    with pytest.raises(Wrong, match="2 things are wrong"):
        await verdicts.judge_followers([follower], [mirror])


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
