"""Lists: every filter in every order gives what a plain look through everything gives; pages hang together; plans are pinned."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from escrow import database as db
from escrow.access import Actor, ActorKind
from escrow.errors import InvalidInput
from escrow.queries import contracts, milestones, scans
from escrow.queries.contracts import ContractOrder, contracts_page
from escrow.queries.counts import Counted
from escrow.queries.milestones import MilestoneOrder, milestones_page
from escrow.queries.ranges import EVERYTHING, Span
from escrow.queries.reading import Reading, itself
from escrow.queries.scans import Filter, Place
from escrow.states import ContractState, MilestoneState
from tests import plans
from tests.bulk import BUSY, PLAN, RARE, fill, fill_log
from tests.factories import party
from tests.plans import Plan

pytestmark = pytest.mark.usefixtures("database")

OPERATOR = Actor(ActorKind.OPERATOR, "acc_op")
MIDDLE = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
SMALL = 60
DISPUTED = [f"ctr_{number:026}" for number in range(4, SMALL, 4)]
LARGE = 8_000


def limited(account_id: str, *numbers: int) -> Actor:
    return dataclasses.replace(party(account_id), contract_ids=frozenset(f"ctr_{n:026}" for n in numbers))


def mediating(actor: Actor) -> Actor:
    return dataclasses.replace(actor, is_mediator=True)


ACTORS = {
    "busy": party(BUSY),
    "freelancer": party("acc_f3"),
    "operator": OPERATOR,
    "limited": limited(BUSY, 1, 2, 4, 8, 16, 32, 3),
    "nobody": party("acc_none"),
    "mediator": mediating(party("acc_f3")),
    "limited mediator": mediating(limited("acc_f3", 3, 4, 8, 9, 16)),
}
CONTRACT_FILTERS: list[dict[str, Any]] = [
    {},
    {"states": [ContractState.ACTIVE]},
    {"states": [ContractState.COMPLETED, ContractState.DECLINED, ContractState.DECLINED]},
    {"states": []},
    {"currency": "EUR"},
    {"party": "acc_f3"},
    {"party": BUSY, "states": [ContractState.ACTIVE]},
    {"updated": Span(MIDDLE, MIDDLE + timedelta(minutes=20))},
    {"updated": Span(MIDDLE), "states": [ContractState.ACTIVE], "party": "acc_f3"},
    {"updated": Span(MIDDLE), "title": "numb webs"},
    {"deadline": Span(before=MIDDLE + timedelta(days=14))},
    {"title": "numb webs"},
    {"title": "Website 1", "currency": "USD"},
    {"title": "!?"},
]
MILESTONE_FILTERS: list[dict[str, Any]] = [
    {},
    {"states": [MilestoneState.PLANNED, MilestoneState.SUBMITTED]},
    {"states": []},
    {"currency": "EUR", "due": Span(before=date(2026, 6, 1))},
    {"party": "acc_f3"},
    {"due": Span(date(2026, 3, 1), date(2026, 9, 1)), "states": [MilestoneState.RELEASED]},
    {"updated": Span(MIDDLE, None)},
    {"updated": Span(MIDDLE), "states": [MilestoneState.RELEASED], "title": "wire 2"},
    {"updated": Span(MIDDLE), "contract_id": f"ctr_{4:026}"},
    {"deadline": Span(MIDDLE + timedelta(days=10), None)},
    {"contract_id": f"ctr_{4:026}"},
    {"title": "wire 2"},
]


def shows(actor: Actor, row: Any, wanted: dict[str, Any]) -> bool:
    """Whether a row belongs into the list, said once more in Python."""
    sides = {row["client_id"], row["freelancer_id"]}
    contract_id = row.get("contract_id") or row["id"]
    seen = (
        actor.kind is ActorKind.OPERATOR or actor.account_id in sides or (actor.is_mediator and contract_id in DISPUTED)
    )
    others = sides if actor.kind is ActorKind.OPERATOR else sides - {actor.account_id}
    words = [word for word in wanted.get("title", "x").lower().split() if word.isalnum()]
    return (
        seen
        and (actor.contract_ids is None or contract_id in actor.contract_ids)
        and (wanted.get("states") is None or row["state"] in wanted["states"])
        and wanted.get("currency") in (None, row["currency"])
        and wanted.get("contract_id") in (None, contract_id)
        and ("party" not in wanted or wanted["party"] in others)
        and ("title" not in wanted or (bool(words) and all(_begins(row["title"], word) for word in words)))
        and all(
            _within(row[column], wanted.get(name, EVERYTHING))
            for name, column in (("updated", "updated_at"), ("deadline", "deadline_at"), ("due", "due_on"))
            if name in wanted
        )
    )


def _begins(title: str, word: str) -> bool:
    return any(one.startswith(word) for one in title.lower().split())


def _within(value: Any, span: Span) -> bool:
    return (
        value is not None
        and (span.start is None or value >= span.start)
        and (span.before is None or value < span.before)
    )


async def _through(read: Callable[..., Any], place: Callable[[Any], Place], size: int, **given: Any) -> list[str]:
    """A whole list, page by page."""
    found: list[str] = []
    after: Place | None = None
    while True:
        page = await read(limit=size, after=after, **given)
        found += [row["id"] for row in page]
        if len(page) < size:
            return found
        after = place(page[-1])


def _place(key: str) -> Callable[[Any], Place]:
    return lambda row: (row[key], row["id"])


def _sorted(rows: list[Any], order: scans.Order) -> list[str]:
    kept = [row for row in rows if row[order.key] is not None]
    return [row["id"] for row in sorted(kept, key=lambda row: (row[order.key], row["id"]), reverse=order.descending)]


_WITH_PLACES = """
SELECT row.*, placed.position AS place FROM {table} AS row
    JOIN events AS event ON event.stream_id = row.{stream} AND event.occurred_at = row.updated_at
    JOIN log_positions AS placed ON placed.event_id = event.id
"""


async def _fill_small() -> None:
    await fill(SMALL)
    await fill_log()
    await db.execute(_DISPUTE, DISPUTED)


_DISPUTE = "UPDATE contracts SET was_disputed = true WHERE id = ANY ($1::text[])"


async def test_every_filter_in_every_order_gives_what_a_look_through_all_contracts_gives() -> None:
    await _fill_small()
    everything = [dict(row) for row in await db.fetch(_WITH_PLACES.format(table="contracts", stream="id"))]
    reading = Reading(contracts.VIEWS.columns, itself)
    for (name, actor), wanted, order in itertools.product(ACTORS.items(), CONTRACT_FILTERS, ContractOrder):
        by = contracts.ORDERS[order].since(wanted.get("updated", EVERYTHING))
        expected = _sorted([row for row in everything if shows(actor, row, wanted)], by)
        cell = f"{name} {wanted} {order}"
        try:
            for size in (7, 1000):
                for backwards in (False, True):
                    asked = {"order": order, "reading": reading, "backwards": backwards, **wanted}
                    found = await _through(contracts_page, _place(by.key), size, actor=actor, **asked)
                    assert found == expected[:: -1 if backwards else 1], cell
            assert await contracts.contracts_counted(actor, order=order, **wanted) == Counted(len(expected)), cell
        except InvalidInput:
            assert name == "operator", cell
            assert not {"party", "title"} & wanted.keys(), cell
            assert order in (ContractOrder.RECENTLY_UPDATED, ContractOrder.LONGEST_UNCHANGED), cell


async def test_every_filter_in_every_order_gives_what_a_look_through_all_milestones_gives() -> None:
    await _fill_small()
    currencies = {row["id"]: row["currency"] for row in await db.fetch("SELECT id, currency FROM contracts")}
    rows = await db.fetch(_WITH_PLACES.format(table="milestones", stream="contract_id"))
    everything = [dict(row) | {"currency": currencies[row["contract_id"]]} for row in rows]
    reading = Reading(milestones.VIEWS.columns, itself)
    for (name, actor), wanted, order in itertools.product(ACTORS.items(), MILESTONE_FILTERS, milestones.ORDERS):
        by = milestones.ORDERS[order].since(wanted.get("updated", EVERYTHING))
        expected = _sorted([row for row in everything if shows(actor, row, wanted)], by)
        cell = f"{name} {wanted} {order}"
        try:
            for size in (31, 1000):
                for backwards in (False, True):
                    asked = {"order": order, "reading": reading, "backwards": backwards, **wanted}
                    found = await _through(milestones_page, _place(by.key), size, actor=actor, **asked)
                    assert found == expected[:: -1 if backwards else 1], cell
            assert await milestones.milestones_counted(actor, order=order, **wanted) == Counted(len(expected)), cell
        except InvalidInput:
            assert name == "operator", cell
            assert not {"party", "title", "contract_id"} & wanted.keys(), cell
    for (name, actor), wanted in itertools.product(ACTORS.items(), MILESTONE_FILTERS):
        shown = sorted((row for row in everything if shows(actor, row, wanted)), key=lambda row: row["position"])
        expected = [row["id"] for row in sorted(shown, key=lambda row: row["contract_id"], reverse=True)]
        for backwards in (False, True):
            found = await _through(
                milestones_page, _place_in_plan, 31, actor=actor, reading=reading, backwards=backwards, **wanted
            )
            assert found == expected[:: -1 if backwards else 1], f"{name} {wanted} in plans"
        assert await milestones.milestones_counted(actor, **wanted) == Counted(len(expected))


async def test_a_page_after_a_place_outside_of_the_span_shows_what_lies_within_it_all_the_same() -> None:
    await _fill_small()
    middle = {"due_on": date(2026, 6, 1), "updated_at": MIDDLE, "deadline_at": MIDDLE + timedelta(days=12)}
    asked = {"due_on": "due", "updated_at": "updated", "deadline_at": "deadline"}
    reading = Reading(milestones.VIEWS.columns, itself)
    for (name, actor), (order, by), backwards in itertools.product(
        ACTORS.items(), milestones.ORDERS.items(), (False, True)
    ):
        span = (
            Span(middle[by.key])
            if by.descending is backwards and by.key != "updated_at"
            else Span(before=middle[by.key])
        )
        cell = f"{name} {order} {span} {backwards}"
        if actor.kind is ActorKind.OPERATOR and not by.for_everything:
            continue
        given: dict[str, Any] = {
            "actor": actor,
            "order": order,
            "reading": reading,
            "backwards": backwards,
            "limit": 1_000,
        }
        everything = await milestones_page(after=None, **given)
        for row in everything[:: max(1, len(everything) // 7)]:
            found = await milestones_page(after=_place(by.key)(row), **given | {asked[by.key]: span})
            behind = everything[everything.index(row) + 1 :]
            assert found == [one for one in behind if _within(one[by.key], span)], cell


def _place_in_plan(row: Any) -> Place:
    return row["position"], row["contract_id"]


async def test_pages_of_an_immutable_order_stay_as_they_are_while_rows_come_and_a_row_that_changed_may_move() -> None:
    await fill(40)
    rng = random.Random(3)
    actor = party(BUSY)
    before = await contracts_page(actor, limit=1000, after=None)
    seen: list[str] = []
    after: Place | None = None
    while page := await contracts_page(actor, limit=5, after=after):
        seen += [view.terms.id for view in page]
        after = (None, seen[-1])
        await db.execute("UPDATE contracts SET updated_at = now() WHERE id = $1", rng.choice(seen))
        await _insert(f"ctr_1{len(seen):025}", like=seen[0])
    assert seen == [view.terms.id for view in before]
    first = await contracts_page(actor, limit=3, after=None, order=ContractOrder.LONGEST_UNCHANGED)
    await db.execute("UPDATE contracts SET updated_at = now() WHERE id = $1", first[0].terms.id)
    last = await contracts_page(actor, limit=1, after=None, order=ContractOrder.RECENTLY_UPDATED)
    assert last[0].terms.id == first[0].terms.id


async def _insert(contract_id: str, *, like: str) -> None:
    async with db.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO contracts SELECT (jsonb_populate_record(c, jsonb_build_object('id', $1::text))).* "
            "FROM contracts AS c WHERE id = $2",
            contract_id,
            like,
        )


def _statement(
    listed: str, actor: Actor, order: Any, after: Place | None, wanted: dict[str, Any]
) -> tuple[str, list[object]]:
    if listed == "contracts":
        kind, chosen = contracts._LISTED, contracts.ORDERS[order]
    else:
        kind, chosen = milestones._LISTED, milestones.ORDERS[order]
    return scans.statement(kind, actor, Filter(**wanted), chosen, limit=51, after=after)


@pytest.mark.parametrize("listed", ["contracts", "milestones"])
def test_pages_that_are_asked_for_alike_share_their_statement(listed: str) -> None:
    orders: Any = ContractOrder if listed == "contracts" else MilestoneOrder
    first, other = party(BUSY), party(RARE)
    asked = _statement(listed, first, orders.DEADLINE, (1, "a"), {"states": ["ACTIVE"], "currency": "USD"})
    alike = _statement(listed, other, orders.DEADLINE, (2, "b"), {"states": ["CANCELLED"], "currency": "EUR"})
    assert alike[0] is asked[0]
    assert alike[1] != asked[1]
    # Whoever is the other side of what they ask for has two parameters of one value.
    mine = _statement(listed, first, orders.DEADLINE, (1, "a"), {"states": ["ACTIVE"], "party": BUSY})
    theirs = _statement(listed, first, orders.DEADLINE, (1, "a"), {"states": ["ACTIVE"], "party": RARE})
    assert mine[0] is theirs[0]
    assert len(mine[1]) == len(theirs[1])
    assert mine[0] != asked[0]


async def plan(
    listed: str, actor: Actor, order: Any, *, after: Place | None = None, **wanted: Any
) -> tuple[int, set[str]]:
    """How many blocks a page of 50 reads, and the indexes by which it does."""
    sql, arguments = _statement(listed, actor, order, after, wanted)
    found = await plans.explain(sql, *arguments)
    return found.blocks(), _indexes(found)


async def generic_plan(listed: str, actor: Actor, order: Any, **wanted: Any) -> set[str]:
    """The indexes of the plan that a connection keeps for whoever asks, as it does after a few times."""
    sql, _ = _statement(listed, actor, order, None, wanted)
    async with db.transaction() as connection:
        await connection.execute(_PLANNED)
        row = await connection.fetchval("SELECT pg_temp.planned($1)", sql)
        await connection.execute("DROP FUNCTION pg_temp.planned")
    return _indexes(await plans.read(row))


_PLANNED = """
CREATE FUNCTION pg_temp.planned(said TEXT) RETURNS JSON LANGUAGE plpgsql AS $$
DECLARE found JSON;
BEGIN
    EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || said INTO found;
    RETURN found;
END $$
"""


def _indexes(found: Plan) -> set[str]:
    assert not found.read_whole, found.root
    return found.indexes


BLOCKS_MAX = 600
"""What a page of 50 may read at most: three or four blocks for each row of two roles, contract included. Of tens of thousands."""

COMMON: list[tuple[str, Any, dict[str, Any], set[str]]] = [
    ("contracts", ContractOrder.NEWEST, {}, {"contracts_by_client", "contracts_by_freelancer"}),
    (
        "contracts", ContractOrder.NEWEST, {"states": ["ACTIVE"]},
        {"contracts_by_client_state", "contracts_by_freelancer_state"},
    ),
    (
        "contracts", ContractOrder.RECENTLY_UPDATED, {},
        {"contracts_by_client_update", "contracts_by_freelancer_update"},
    ),
    ("contracts", ContractOrder.DEADLINE, {}, {"contracts_by_client_deadline", "contracts_by_freelancer_deadline"}),
    ("milestones", MilestoneOrder.DUE, {}, {"milestones_by_client_due", "milestones_by_freelancer_due"}),
    (
        "milestones", MilestoneOrder.DUE, {"states": ["SUBMITTED"]},
        {"milestones_by_client_state", "milestones_by_freelancer_state"},
    ),
    (
        "milestones", MilestoneOrder.DUE, {"spans": {"due_on": Span(date(2027, 6, 1), date(2027, 6, 2))}},
        {"milestones_by_client_due", "milestones_by_freelancer_due"},
    ),
    (
        "milestones", MilestoneOrder.RECENTLY_UPDATED, {},
        {"milestones_by_client_update", "milestones_by_freelancer_update"},
    ),
    ("milestones", MilestoneOrder.DEADLINE, {}, {"milestones_by_client_deadline", "milestones_by_freelancer_deadline"}),
    ("contracts", ContractOrder.NEWEST, {"title": "zepp"}, {"titles_by_word", "contracts_pkey"}),
    ("milestones", MilestoneOrder.DUE, {"title": "zeppelin mast"}, {"titles_by_word", "milestones_pkey"}),
]  # fmt: skip


PLANNED_FIRST = 5
"""As often PostgreSQL plans a statement anew before it thinks of keeping a plan."""


async def _planned(listed: str, order: Any, wanted: dict[str, Any]) -> tuple[int, int]:
    """How often a list of who has much and of who has little was planned for its values, and how often as it was kept."""
    asked = [_statement(listed, party(whose), order, None, wanted) for whose in (BUSY, RARE) * 4]
    return await plans.planned(asked[0][0], *(arguments for _, arguments in asked))


@plans.of_whole_tables
@pytest.mark.usefixtures("untouched_database")
async def test_common_lists_are_one_scan_of_their_index_for_each_role_whoever_asks() -> None:
    await fill(LARGE)
    total = await db.fetch_value("SELECT count(*) FROM milestones")
    assert total == LARGE * PLAN
    for listed, order, wanted, indexes in COMMON:
        allowed = {frozenset(indexes), frozenset({*indexes, "contracts_pkey"})}
        assert await generic_plan(listed, party(BUSY), order, **wanted) in allowed, f"{listed} {order} {wanted}"
        for actor in (party(BUSY), party(RARE), party("acc_f3"), party("acc_none")):
            blocks, used = await plan(listed, actor, order, **wanted)
            cell = f"{actor.account_id} {listed} {order} {wanted}: {blocks} blocks by {used}"
            assert blocks <= BLOCKS_MAX, cell
            if actor.account_id == BUSY:
                assert used in allowed, cell
            else:  # few rows may just as well come by another index of the role's and be sorted
                assert all("_by_" in one or one.endswith("_pkey") for one in used), cell
    deep = (date(2027, 1, 1), f"mil_{50_000:026}")
    blocks, used = await plan("milestones", party(BUSY), MilestoneOrder.DUE, after=deep)
    assert (blocks <= BLOCKS_MAX, used) == (
        True,
        {"milestones_by_client_due", "milestones_by_freelancer_due", "contracts_pkey"},
    )
    for listed, order in (("contracts", ContractOrder.DEADLINE), ("milestones", MilestoneOrder.DEADLINE)):
        blocks, used = await plan(listed, OPERATOR, order)
        assert f"{listed}_by_deadline" in used
        assert blocks <= BLOCKS_MAX
    # Among many rows a plan that knows its values would look far cheaper than the one that is kept.
    await db.execute("UPDATE pg_class SET reltuples = 100 * reltuples WHERE relname IN ('contracts', 'milestones')")
    for listed, order, wanted, _ in COMMON:
        if "title" not in wanted:
            assert await _planned(listed, order, wanted) == (PLANNED_FIRST, 3), f"{listed} {order} {wanted}"


@plans.of_whole_tables
@pytest.mark.usefixtures("untouched_database")
async def test_a_mediator_looks_for_words_in_what_was_disputed_however_many_others_have_them() -> None:
    await fill(LARGE)
    await db.execute(_DISPUTE, DISPUTED)
    await db.execute("ANALYZE contracts")
    mediator = mediating(party("acc_none"))
    for listed, order, title in (
        ("contracts", ContractOrder.NEWEST, "website"),
        ("contracts", ContractOrder.DEADLINE, "website"),
        ("milestones", MilestoneOrder.DUE, "wireframe"),
    ):
        blocks, used = await plan(listed, mediator, order, title=title)
        assert blocks <= BLOCKS_MAX, f"{listed} {order}: {blocks} blocks by {used}"
    in_plans = milestones._statement(
        mediator, Filter(title="wireframe"), MilestoneOrder.PLAN, milestones.VIEWS, limit=51, after=None
    )
    found = await plans.explain(in_plans[0], *in_plans[1])
    assert (found.blocks() <= BLOCKS_MAX, found.read_whole) == (True, set()), found.root
