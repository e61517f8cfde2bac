"""What is sent while contracts are worked on names one contract, and so one shard; what doesn't is listed, with the reason.

The statements are those that really leave the process. A new one that is neither bound to one contract nor listed fails here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pytest

from escrow import archived_log, database, log, pipeline, statements, sweep
from escrow.accounts import usage
from escrow.agreement import commands as c
from escrow.idempotency import Idempotency
from escrow.live import occurrences
from escrow.payments import leases, orders
from escrow.payments.sandbox import Sandbox
from escrow.placement import Group
from escrow.store import read, whereabouts
from escrow.store.stream import CONTRACTS
from tests.api.client import People, door
from tests.escrow.cases import CASES
from tests.factories import Deployment, advance_past_deadlines, make_endpoint
from tests.routing import Route, route
from tests.webhooks.partner import delivery_worker, partners, settled
from webhooks import audit as deliveries_audit
from webhooks.delivery import claims, completion, fan_out
from webhooks.events import filters
from webhooks.owner import replays


@dataclass(frozen=True, slots=True)
class Listed:
    """Statements that go to more than one place, and why that is so."""

    why: str
    texts: frozenset[str] = frozenset()
    beginning: str = ""
    """Of those whose text is put together: how it begins, spaces apart."""
    is_of_keys: bool = False
    """Whether it is the command's own statement with a key beside: two places, both known."""
    is_list: bool = False
    """Whether it is about a list of contracts, which it names, each by itself."""

    def fits(self, sql: str, found: Route) -> bool:
        if self.is_list:
            return found.is_list and Group.CONTRACT in found.groups
        if self.is_of_keys:
            return found.are_places_known and found.groups <= {Group.CONTRACT, Group.ACCOUNT, Group.REFERENCE}
        return sql in self.texts or (bool(self.beginning) and " ".join(sql.split()).startswith(self.beginning))


def _of(module: ModuleType, *names: str) -> frozenset[str]:
    """The texts of statements that a module calls so."""
    found = [getattr(module, name) for name in names]
    return frozenset(str(getattr(one, "sql", one)) for one in found)


LISTED: Final = (
    Listed(
        "what a command names leads to its contract: each shard looks it up by key, once for each process (`whereabouts`)",
        frozenset({read._LOADS[read._Named.WAY, False], read._LOADS[read._Named.WAY, True]}),
    ),
    Listed(
        "a key is unique within its account, so it lies with the account, and its contract elsewhere", is_of_keys=True
    ),
    Listed(
        "a page names the contracts that it shows: each shard answers for its own, one shard a page of one",
        is_list=True,
    ),
    Listed(
        "whether an account may be seen depends on the contracts of who asks",
        beginning="SELECT account.id, account.name",
    ),
    Listed(
        "a command on an account writes what every server has, and the account's stream", beginning="WITH moved AS ("
    ),
    Listed(
        "a command on an account reads what may be near it", beginning="SELECT account.*, deployment.client_fee_bps"
    ),
    Listed(
        "the sweep takes what is due, of whichever contracts; on shards there is one sweep for each",
        _of(sweep, "_CLAIM", "_HAND_BACK", "_NEXT", "_FORGET_REMINDERS") | {read._LOAD_ALL},
    ),
    Listed("the sweep writes the contracts that it took", beginning="WITH free AS MATERIALIZED"),
    Listed(
        "the payments worker takes what is due, of whichever contracts; on shards there is one for each",
        _of(leases, "_CLAIM") | _of(orders, "_NUDGE", "_RECONCILE"),
    ),
    Listed(
        "the sequencer takes the outbox of every shard, and writes positions in one place",
        frozenset({log.sequence_sql("NULL"), log.sequence_sql(filters.GOES_TO)}),
    ),
    Listed(
        "webhooks follow the log: a batch has events of many contracts, each looked up where it lies",
        _of(claims, "_CLAIM", "_HEAD")
        | _of(completion, "_COMPLETE", "_DELIVERED")
        | _of(fan_out, "_WRITE")
        | _of(filters, "_MATCH"),
    ),
    Listed(
        "streams and the feed follow the log: a page has events of many contracts, each looked up where it lies",
        _of(occurrences, "_FOLLOWING", "_OF_ACCOUNT"),
        beginning="SELECT last.position AS last_position",
    ),
    Listed(
        "when keys were last used stands everywhere, as keys do: each process writes it once a minute",
        _of(usage, "_WRITE"),
    ),
)

ALONG_THE_LOG: Final = (
    _of(claims, "_CLAIM", "_HEAD")
    | _of(completion, "_COMPLETE")
    | _of(fan_out, "_WRITE")
    | _of(filters, "_MATCH")
    | _of(occurrences, "_FOLLOWING", "_OF_ACCOUNT", "_OF_STREAMS", "_OF_ALL")
    | _of(archived_log, "_ROWS")
    | _of(replays, "_FIRST_SINCE", "_FOUND")
    | _of(deliveries_audit, "_EVENTS", "_STATES", "_CHANGES")
)
"""What goes from event to event in the order of the log: an index of all shards' events by their ids alone wouldn't be there."""

KINDS: Final = """
    id title state nextDeadline { at } allowedActions { action allowed } progress { total } currentMilestone { id }
    client { id name } escrow { held { amount } } milestones { id title allowedActions { action } }
    submissions(first: 5) { nodes { id } } transfers(first: 5) { nodes { id } } deposits(first: 5) { nodes { id } }
    paymentOrders(first: 5) { nodes { id } } changeRequests(first: 5) { nodes { id } } updates(first: 5) { nodes { number } }
    refundRequests(first: 5) { nodes { id } } disputes(first: 5) { nodes { id evidence(first: 2) { nodes { text } } } }
    timeline(first: 5) { nodes { id texts { value } } }"""


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every text that any task of this process sends meanwhile."""
    found: set[str] = set()
    measured = statements._measured

    def noting(sql: str, answer: Awaitable[Any]) -> Awaitable[Any]:
        found.add(sql)
        return measured(sql, answer)

    with monkeypatch.context() as patched:
        patched.setattr(statements, "_measured", noting)
        yield found


def _judged(sent: set[str]) -> tuple[int, list[str]]:
    """How many name one place, and those that neither do nor are listed."""
    routes = {sql: route(sql) for sql in sent}
    elsewhere = {sql: found for sql, found in routes.items() if not found.is_one_place}
    unlisted = [sql for sql, found in elsewhere.items() if not any(one.fits(sql, found) for one in LISTED)]
    return len(sent) - len(elsewhere), [f"{routes[sql]}: {' '.join(sql.split())[:300]}" for sql in sorted(unlisted)]


@pytest.mark.usefixtures("database")
async def test_every_command_names_its_contract_once_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with door() as http:
        there = (await People.meet(http)).deployment
    sent: set[str] = set()
    for number, case in enumerate(CASES):
        command, by = await case.prepare(there)
        key = Idempotency(key=str(number), input_sha256=bytes(32)) if number % 7 == 0 and by.account_id else None
        with recording(monkeypatch) as found:
            await pipeline.run(command, by=by, idempotency=key)
        sent |= found
    one_place, unlisted = _judged(sent)
    assert unlisted == []
    assert one_place >= 20  # reading by name, and a shape of writing for each set of tables
    deal = await there.fund("250.00", "500.00")
    await deal.submit()
    with recording(monkeypatch) as sent:
        await deal.request_changes()
        await deal.submit()
        await pipeline.run(c.EditMilestone(milestone_id=deal.milestone(2), title="Other"), by=there.client)
        await pipeline.run(c.EditMilestone(milestone_id=deal.milestone(2), title="Another"), by=there.client)
    assert [sql for sql in sent - {read._LOADS[read._Named.WAY, False]} if not route(sql).is_one_place] == []


@pytest.mark.usefixtures("database")
async def test_what_workers_and_readers_of_a_contract_send_names_it_or_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with door() as http, partners() as partner:
        people = await People.meet(http)
        there = people.deployment
        await make_endpoint(there.client, partner.url())
        with recording(monkeypatch) as sent:
            deal = await there.activate("10.00", "20.00")
            await deal.fund()
            sandbox = Sandbox(settle_seconds=0.0)
            for claimed in await leases.claim(10):
                await orders.attend(claimed, sandbox)
            other = await there.fund("10.00")
            await other.submit()
        await advance_past_deadlines()
        with recording(monkeypatch) as sent_later:
            claim = await sweep.claim(10)
            await sweep.fire_together(claim.contract_ids)
            async with delivery_worker() as worker:
                await worker.fan_out()
                await settled()
            for _ in range(2):
                await people.client.ask(f'{{ contract(id: "{other.id}") {{ {KINDS} }} }}')
            await people.client.ask("{ changes(first: 5) { nodes { event { id } } } }")
            assert await occurrences.following(after=0, limit=5)
            assert (await occurrences.visible(there.client, after=0, until=5, limit=5))[0]
            noted = usage.KeyUsage()
            noted.note(there.client.key_id)
            await noted.flush()
    _, unlisted = _judged(sent | sent_later)
    assert unlisted == []


@pytest.mark.usefixtures("database")
async def test_who_lost_several_races_locks_the_contract_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()
    deal = await there.fund("250.00")
    command = c.EditMilestone(milestone_id=deal.milestone(), title="Another")
    whereabouts.forget()
    with recording(monkeypatch) as unknown:
        async with database.transaction():
            await CONTRACTS.lock(command, there.client)
    assert {sql for sql in unknown if not route(sql).is_one_place} == {read._WHOSE}
    await CONTRACTS.load(command, there.client, None)
    with recording(monkeypatch) as sent:
        async with database.transaction():
            await CONTRACTS.lock(command, there.client)
    assert read._LOCK in sent
    assert [sql for sql in sent if not route(sql).is_one_place] == []


def test_events_are_looked_up_where_they_lie() -> None:
    adrift = {sql: found.adrift for sql in ALONG_THE_LOG if (found := route(sql)).adrift}
    assert adrift == {}


ONE_PLACE: Final = (
    "SELECT FROM milestones WHERE contract_id = $1 AND id = $2",
    "SELECT FROM contracts AS c JOIN milestones AS m ON m.contract_id = c.id WHERE c.id = $1",
    "SELECT FROM contracts AS c LEFT JOIN milestones AS m ON (m.contract_id, m.id) = (c.id, $2) WHERE c.id = $1",
    "SELECT (SELECT count(*) FROM milestones AS m WHERE m.contract_id = c.id) FROM contracts AS c WHERE c.id = $1",
    (
        "WITH c AS (UPDATE contracts SET title = $2 WHERE id = $1 RETURNING id) "
        "INSERT INTO titles (contract_id, subject_id) SELECT c.id, c.id FROM c"
    ),
    "INSERT INTO texts (stream_id, event_id) VALUES ($1, $2)",
    "SELECT FROM idempotency_keys WHERE account_id = $1 AND key = $2",
    "SELECT FROM accounts WHERE id = $1",
)

ELSEWHERE: Final = (
    "SELECT FROM milestones WHERE id = $1",
    "SELECT FROM milestones WHERE contract_id = $1 OR id = $2",
    "SELECT FROM milestones WHERE NOT contract_id = $1",
    "SELECT FROM milestones WHERE contract_id = ANY ($1)",
    "SELECT FROM contracts AS c JOIN milestones AS m ON m.id = c.id WHERE c.id = $1",
    "SELECT FROM contracts AS c LEFT JOIN milestones AS m ON m.contract_id = c.id AND m.contract_id = $1",
    "SELECT FROM contracts AS c WHERE EXISTS (SELECT FROM milestones AS m WHERE m.contract_id = c.id AND c.id = $1)",
    "SELECT FROM contracts AS c JOIN events AS e ON e.stream_id = $2 WHERE c.id = $1",
    "WITH m AS (SELECT * FROM milestones) SELECT FROM m WHERE contract_id = $1",
    "SELECT FROM (SELECT * FROM milestones LIMIT 1) AS m WHERE contract_id = $1",
    "SELECT contract_id FROM milestones WHERE contract_id = $1 UNION SELECT contract_id FROM deposits",
    "SELECT FROM contracts AS c JOIN idempotency_keys AS k ON k.account_id = $2 WHERE c.id = $1",
    "UPDATE accounts SET name = $2 WHERE id = $1",
    "INSERT INTO texts (stream_id, event_id) SELECT stream_id, id FROM events WHERE id = $1",
)


@pytest.mark.parametrize("sql", ONE_PLACE)
def test_what_is_bound_to_one_contract_is_seen_to_be(sql: str) -> None:
    assert route(sql).is_one_place


@pytest.mark.parametrize("sql", ELSEWHERE)
def test_what_is_not_bound_or_only_within_a_part_is_not_taken_for_it(sql: str) -> None:
    assert not route(sql).is_one_place


ADRIFT: Final = {
    "SELECT FROM log_positions AS p JOIN events AS e ON (e.stream_id, e.id) = (p.stream_id, p.event_id)": (),
    "SELECT FROM log_positions AS p JOIN events AS e ON e.id = p.event_id": ("events",),
    "SELECT FROM log_positions AS p CROSS JOIN LATERAL (SELECT FROM events WHERE stream_id = p.stream_id) AS e": (),
    "SELECT FROM log_positions AS p CROSS JOIN LATERAL (SELECT FROM events WHERE id = p.event_id) AS e": ("events",),
    "SELECT FROM events WHERE stream_id = $1": (),
}


@pytest.mark.parametrize("sql", ADRIFT)
def test_what_another_row_leads_to_its_shard_is_told_from_what_is_looked_for_in_all(sql: str) -> None:
    assert route(sql).adrift == ADRIFT[sql]


def test_a_kind_of_statement_that_nobody_has_thought_of_is_told() -> None:
    merging = "MERGE INTO milestones AS m USING deposits AS d ON m.id = d.id WHEN MATCHED THEN DELETE"
    for sql in (merging, "LOCK TABLE milestones", "TRUNCATE milestones"):
        with pytest.raises(NotImplementedError):
            route(sql)


def test_a_new_statement_that_names_no_contract_is_told() -> None:
    assert len(_judged({"SELECT FROM milestones WHERE id = $1"})[1]) == 1
    assert _judged({"SELECT FROM milestones WHERE contract_id = ANY ($1)"}) == (0, [])  # a list
    assert _judged({f"SELECT FROM milestones WHERE contract_id = ANY ({database.listed('$1')})"}) == (0, [])
