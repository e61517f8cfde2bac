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

from escrow import log, pipeline, statements, sweep
from escrow.agreement import commands as c
from escrow.idempotency import Idempotency
from escrow.payments import leases, orders
from escrow.payments.sandbox import Sandbox
from escrow.placement import Group
from escrow.store import read
from tests.api.client import People, door
from tests.escrow.cases import CASES
from tests.factories import advance_past_deadlines, make_endpoint
from tests.routing import Route, route
from tests.webhooks.partner import delivery_worker, partners, settled
from webhooks.delivery import claims, completion, fan_out
from webhooks.events import filters


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
        frozenset({read._LOADS[False, False], read._LOADS[False, True]}),
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
    Listed("the sequencer takes the outbox of every shard, and writes positions in one place", _of(log, "_SEQUENCE")),
    Listed(
        "webhooks follow the log: a batch has events of many contracts",
        _of(claims, "_CLAIM", "_HEAD")
        | _of(completion, "_COMPLETE", "_DELIVERED")
        | _of(fan_out, "_WRITE")
        | _of(filters, "_MATCH"),
    ),
)

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
    assert [sql for sql in sent - {read._LOADS[False, False]} if not route(sql).is_one_place] == []


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
    _, unlisted = _judged(sent | sent_later)
    assert unlisted == []


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


def test_a_new_statement_that_names_no_contract_is_told() -> None:
    assert len(_judged({"SELECT FROM milestones WHERE id = $1"})[1]) == 1
    assert _judged({"SELECT FROM milestones WHERE contract_id = ANY ($1)"}) == (0, [])  # a list
