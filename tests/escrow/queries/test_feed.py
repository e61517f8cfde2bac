"""The feed at scale and in total: every event says what it touched, and a page reads no more of the log than it shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from escrow import database as db
from escrow.access import Actor, ActorKind
from escrow.agreement.events import CATALOGUE
from escrow.queries import feed
from tests import plans
from tests.factories import Deployment, party

EVENTS = 60_000
CONTRACTS = 3_000


@pytest.mark.parametrize("event_class", CATALOGUE.values(), ids=lambda event: event.type)
def test_every_event_of_contracts_names_its_milestones_or_is_known_to_touch_none(event_class: Any) -> None:
    names = {field.name for field in dataclasses.fields(event_class)}
    assert bool(names & feed.NAMES_ITS_MILESTONES) != (event_class.type in feed.TOUCHES_NO_MILESTONE)


async def _fill() -> None:
    """A long log of many contracts between the same two busy accounts, written past foreign keys; one is somebody else's."""
    async with db.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_EVENTS, EVENTS, CONTRACTS)
        await connection.execute(_POSITIONS, EVENTS, CONTRACTS)
    await db.execute("ANALYZE log_positions, events, milestones, deposits, texts")


_EVENTS = """
INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash)
SELECT 'evt_' || n, 'ctr_' || n % $2::int, 1 + n / $2::int, 'contract.accepted', 1, now(), '{"data": {}}', repeat('0', 64),
    CASE WHEN n >= $2::int THEN repeat('0', 64) END
FROM generate_series(1, $1::int) AS n
"""
_POSITIONS = """
INSERT INTO log_positions (position, event_id, stream_id, client_id, freelancer_id)
SELECT n, 'evt_' || n, 'ctr_' || n % $2::int,
    CASE WHEN n % $2::int = 7 THEN 'acc_rare' ELSE 'acc_busy' END, CASE WHEN n % 2 = 0 THEN 'acc_even' ELSE 'acc_odd' END
FROM generate_series(1, $1::int) AS n
"""


async def _read(actor: Actor, *, after: int, limit: int = 50) -> tuple[int, list[int], set[str]]:
    """How many blocks of the log the page reads, the positions that it shows, and the indexes of the log that it uses."""
    within = sorted(actor.contract_ids) if actor.contract_ids is not None else None
    plan = await plans.explain(feed.statement(actor), actor.account_id, after, limit + 1, within)
    assert not plan.read_whole & {"log_positions", "events"}
    page = await feed.changes_page(actor, after=after, limit=limit)
    indexes = {name for name in plan.indexes if name.startswith("log_positions")}
    return plan.blocks("log_positions", "events"), [one.position for one in page.changes], indexes


@pytest.mark.usefixtures("untouched_database")
async def test_a_page_reads_what_it_shows_however_long_the_log_is_and_however_rare_its_reader() -> None:
    await Deployment.make()
    await _fill()
    by_role = {"log_positions_by_client", "log_positions_by_freelancer", "log_positions_by_stream"}
    # Each event shown costs its look-ups by key; nothing is read that isn't shown.
    for account_id in ("acc_rare", "acc_busy", "acc_even"):
        for after in (0, EVENTS // 2, EVENTS - 10):
            blocks, shown, indexes = await _read(party(account_id), after=after)
            assert blocks <= 60 + 25 * len(shown), (account_id, after, blocks, len(shown))
            assert by_role <= indexes
    blocks, shown, _ = await _read(party("acc_rare"), after=0, limit=5)
    assert shown == [7, 7 + CONTRACTS, 7 + 2 * CONTRACTS, 7 + 3 * CONTRACTS, 7 + 4 * CONTRACTS]
    nobody = party("acc_nobody")
    assert (await _read(nobody, after=0))[:2] == ((await _read(nobody, after=EVENTS // 2))[0], [])
    limited = dataclasses.replace(party("acc_busy"), contract_ids=frozenset({"ctr_9", "ctr_11"}))
    blocks, shown, indexes = await _read(limited, after=0, limit=4)
    assert shown == [9, 11, 9 + CONTRACTS, 11 + CONTRACTS]
    assert "log_positions_by_stream" in indexes
    assert blocks <= 60 + 25 * 4
    operator = Actor(ActorKind.OPERATOR, "acc_op")
    blocks, shown, _ = await _read(operator, after=EVENTS // 2)
    assert shown == list(range(EVENTS // 2 + 1, EVENTS // 2 + 51))
    assert blocks <= 60 + 25 * len(shown)


def test_the_statement_of_a_page_is_written_once_for_all_who_look_alike() -> None:
    one, other = party("acc_one"), party("acc_other")
    assert feed.statement(one) is feed.statement(other)
    limited = dataclasses.replace(one, contract_ids=frozenset({"ctr_9"}))
    mediator = dataclasses.replace(one, is_mediator=True)
    operator = dataclasses.replace(one, kind=ActorKind.OPERATOR)
    written = [feed.statement(who) for who in (one, limited, mediator, operator)]
    assert len(set(written)) == len(written)
