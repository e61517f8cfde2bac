"""The audit finds nothing on a deployment that was only ever changed by commands, and every fault that is planted."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import pytest

from escrow import database, ids, log, pipeline
from escrow.access import PROVIDER, Role, Scope
from escrow.accounts import commands as accounts
from escrow.accounts import tokens
from escrow.agreement import commands as c
from escrow.audit import CROSSING, audit
from escrow.audit import accounts as audited_accounts
from escrow.audit import contracts as audited_contracts
from escrow.audit.contracts import TABLES
from escrow.ids import Kind
from escrow.money import Money
from escrow.pipeline import run
from escrow.placement import PLACES
from escrow.store.tables import CONTRACTS
from tests.escrow.cases import CASES, Case
from tests.factories import Deal, Deployment, usd
from tests.prepared import prepared

pytestmark = pytest.mark.usefixtures("database")


async def differences(*, batch: int = 2) -> list[str]:
    return [str(difference) async for difference in audit(batch=batch)]


async def plant(sql: str) -> str:
    """Change what no command could change, past triggers and foreign keys; answers with the statement's tag."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        return await connection.execute(sql)


async def busy(*, quarrelling: bool = False) -> Deal:
    """A contract with something in the tables: paid, under way, on its way, failed, and sent back; half of it in order.

    With `quarrelling` others beside it fill the tables of disagreement, too.
    """
    made = await prepared(("busy", quarrelling), lambda: _busied(quarrelling=quarrelling), is_sequenced=True)
    return deepcopy(made)


async def _busied(*, quarrelling: bool) -> Deal:
    there = await Deployment.make()
    await there.activate("1.00")
    deal = await there.fund("250.00", "500.00", "100.00", "50.00")
    await deal.submit()
    await deal.approve()
    await deal.fail_order(await deal.pay_out())
    await deal.confirm(await deal.fund(2))
    await deal.submit(2)
    await deal.confirm(await deal.fund(3), Money(1, "USD"))
    await deal.fund(3)
    await log.sequence(limit=15)
    await _people(there, deal)
    if quarrelling:
        await _quarrel(there)
    return deal


async def _quarrel(there: Deployment) -> None:
    """Contracts that disagree in every way: in mediation, asking back, settled, ending, reversed; with changes and updates."""
    deal = await there.activate("250.00", "500.00", "100.00", "50.00", "20.00")
    await deal.fund_all()
    await deal.submit()
    dispute_id = await deal.decline_refund(await deal.request_refund(amount="100.00"))
    for by in (deal.client, deal.freelancer):
        await run(deal.evidence(dispute_id), by=by)
        await run(c.OfferSettlement(dispute_id=dispute_id, to_freelancer=usd("120.00")), by=by)
    await deal.request_refund(2)
    await run(c.AcceptClaim(dispute_id=await deal.open_dispute(3, claim="40.00")), by=deal.freelancer)
    await run(c.WithdrawDispute(dispute_id=await deal.open_dispute(4, claim="0.00")), by=deal.client)
    await deal.file(c.AmendChange(milestone_id=deal.milestone(), deliverables=("Two pages",)))
    for position in (None, 1):
        await run(deal.update(position), by=deal.freelancer)
    await run(c.SetPayouts(contract_id=deal.id, automatic=True), by=deal.freelancer)
    ending = await there.fund("30.00")
    await run(c.End(contract_id=ending.id), by=ending.client)
    reversed_ = await there.fund("40.00", "60.00")
    await reversed_.submit()
    await reversed_.reverse(*reversed_.deposits)
    cost = c.BookCost(
        contract_id=reversed_.id, movement="txn_1", fee=Money(3, "EUR"), given=Money(9, "USD"), got=Money(8, "EUR")
    )
    await run(cost, by=PROVIDER)
    await database.execute(
        "INSERT INTO provider_movements VALUES ('txn_1', 'CHARGE', now(), 9, 3, 6, 'EUR', 9, 'USD', NULL, NULL)"
    )
    await database.execute("INSERT INTO reconciliation_differences VALUES ('BALANCE', 'EUR', 'EUR', 1, 2, now())")
    praised = await there.fund("70.00")
    bonus = c.Approve(
        milestone_id=praised.milestone(),
        bonus=usd("5.00"),
        bonus_deposit_id=ids.new(Kind.DEPOSIT),
        bonus_order_id=ids.new(Kind.ORDER),
    )
    await run(bonus, by=praised.client)
    await praised.confirm(bonus.bonus_deposit_id or "", Money(500, "USD"))


async def _people(there: Deployment, deal: Deal) -> None:
    account_id = there.freelancer.account_id or ""
    member = accounts.AddMember(
        account_id=account_id, member_id=ids.new(Kind.MEMBER), person="a@b.example", name="Ana", role=Role.MEMBER
    )
    await pipeline.run(member, by=there.operator)
    key = accounts.CreateApiKey(
        account_id=account_id,
        key_id=ids.new(Kind.KEY),
        name="sync",
        scopes=(Scope.CONTRACTS_READ,),
        token=tokens.new(),
        member_id=member.member_id,
        contract_ids=(deal.id,),
    )
    await pipeline.run(key, by=there.freelancer)


SOME: Final = 5
"""Events that get their positions between two audits."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_nothing_differs_after_any_command(case: Case) -> None:
    command, by = await case.prepare(await Deployment.make())
    await run(command, by=by)
    assert await differences() == []
    while await log.sequence(limit=SOME):
        assert await differences() == []


async def test_long_streams_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escrow.audit.BATCH_EVENTS", 1)
    await busy()
    with database.counting() as statements:
        assert await differences() == []
    streams = await database.fetch_value("SELECT count(DISTINCT stream_id) FROM events")
    assert sum(one.startswith("BEGIN") for one in statements) == streams + 1


async def test_streams_are_folded_while_no_transaction_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends a session that leaves its transaction alone for long, as the folding of a long stream would."""
    await busy()
    used: set[int] = set()
    for module in (audited_contracts, audited_accounts):
        monkeypatch.setattr(module, "fold", noting_use(used, module.fold))
    assert await differences() == []
    assert used == {0}


def noting_use(used: set[int], fold: Callable[..., Any]) -> Callable[..., Any]:
    """The same, noting how many connections are in use meanwhile."""

    def noting(*given: Any) -> Any:
        used.add(database.pool_use()[0])
        return fold(*given)

    return noting


FUNDED: Final = "type = 'milestone.funded'"
LATEST: Final = "(SELECT id FROM events WHERE type = 'milestone.released')"
FAULTS: Final = {
    "a changed event": (
        f"UPDATE events SET body = replace(body, '250.00', '251.00') WHERE {FUNDED}",
        ("hash of the body",),
    ),
    "a changed event with a hash that fits": (
        (f"UPDATE events SET body = changed, hash = encode(sha256(changed::bytea), 'hex') "
        f"FROM (SELECT id AS same, replace(body, '250.00', '251.00') AS changed FROM events) AS new "
        f"WHERE id = same AND {FUNDED}"),
        ("previous hash", "transfers", "balance by the events"),
    ),
    "an event that is no JSON": (f"UPDATE events SET body = 'x' WHERE {FUNDED}", ("body", "fold")),
    "an event in other words": (f"UPDATE events SET body = body || ' ' WHERE {FUNDED}", ("canonical JSON",)),
    "a changed column of an event": (
        f"UPDATE events SET occurred_at = occurred_at + interval '1 second' WHERE {FUNDED}",
        ("occurredAt in the body",),
    ),
    "a broken chain": (f"UPDATE events SET previous_hash = hash WHERE {FUNDED}", ("previous hash",)),
    "a last event that is gone": (
        "DELETE FROM events WHERE (stream_id, sequence) IN (SELECT id, version FROM contracts)",
        ("last link.version", "last link.last_hash"),
    ),
    "a gap in the sequence": (f"DELETE FROM events WHERE {FUNDED}", ("sequence", "previous hash")),
    "a stream of nobody": (
        "UPDATE events SET stream_id = 'ctr_0' WHERE type = 'contract.accepted'",
        ("a contract or an account of that id",),
    ),
    "a gap in the positions": (
        "UPDATE log_positions SET position = position + 1000 WHERE position >= 5",
        ("log: positions: expected 5, found 1005",),
    ),
    "two positions swapped": (
        ("UPDATE log_positions SET position = CASE position WHEN 14 THEN 1000 ELSE 14 END WHERE position IN (14, 15);"
        "UPDATE log_positions SET position = 15 WHERE position = 1000"),
        ("position",),
    ),
    "a position in another stream": ("UPDATE log_positions SET stream_id = 'ctr_0'", ("log_positions.stream_id",)),
    "an event that waits for nothing": (
        "DELETE FROM log_pending WHERE serial = (SELECT max(serial) FROM log_pending)",
        ("places in the log",),
    ),
    "an event with a position that waits for one": (
        "INSERT INTO log_pending (stream_id, event_id) SELECT stream_id, event_id FROM log_positions WHERE position = 1",
        ("places in the log",),
    ),
    "an altered text": ("UPDATE texts SET body = '\"Free\"' WHERE field = 'title'", ("text title", "contracts.title")),
    "an altered salt": (
        "UPDATE texts SET salt = substr(sha256(salt), 1, 16) WHERE field = 'message'",
        ("text message",),
    ),
    "a lost text": ("DELETE FROM texts WHERE field = 'description'", ("texts",)),
    "an erasure that the tables don't know": (
        "UPDATE texts SET body = NULL, salt = NULL, erased_at = now() WHERE field = 'title'",
        ("contracts.title", "milestones.title"),
    ),
    "a missing transfer": (
        f"DELETE FROM transfers WHERE event_id = {LATEST} AND debit LIKE 'escrow:%' AND credit LIKE 'payable:%'",
        ("transfers", "balance by the transfers", "the books say", "each unit leaves once"),
    ),
    "a transfer twice": (
        (f"INSERT INTO transfers SELECT 'trf_0', contract_id, event_id, debit, credit, amount_minor, currency, occurred_at "
        f"FROM transfers WHERE event_id = {LATEST} AND debit LIKE 'fee:%'"),
        ("transfers", "balance by the transfers"),
    ),
    "a balance off by one": (
        "UPDATE balances SET balance_minor = balance_minor + 1 WHERE account LIKE 'escrow:%' AND balance_minor > 0",
        ("balance by the transfers", "balance by the events", "the sum over all accounts in USD: expected 0, found 1"),
    ),
    "a lost balance": ("DELETE FROM balances WHERE balance_minor > 0", ("balance by the transfers",)),
    "a state that the log doesn't give": (
        "UPDATE milestones SET state = 'CANCELLED' WHERE state = 'PLANNED'",
        ("milestones.state: expected 'PLANNED', found 'CANCELLED'",),
    ),
    "a milestone of nobody": ("UPDATE milestones SET id = 'mil_0' WHERE state = 'SUBMITTED'", ("no row", "a row")),
    "a lost clock": ("DELETE FROM deadlines WHERE kind = 'REVIEW'", ("deadlines: expected 'a row', found 'none'",)),
    "a deadline that lists don't know": (
        "UPDATE milestones SET deadline_at = NULL WHERE state = 'SUBMITTED'; UPDATE contracts SET deadline_at = NULL",
        ("milestones.deadline_at", "contracts.deadline_at"),
    ),
    "a milestone in other lists than its contract": (
        "UPDATE milestones SET freelancer_id = client_id",
        ("milestones.freelancer_id",),
    ),
    "a clock too many": (
        "INSERT INTO deadlines SELECT contract_id, 'OFFER', contract_id, due_at FROM deadlines WHERE kind = 'REVIEW'",
        ("deadlines: expected 'no row', found 'one'",),
    ),
    "a position of no event": (
        ("INSERT INTO log_positions (position, event_id, stream_id, placed_at) "
        "SELECT max(position) + 1, 'evt_0', 'ctr_0', now() FROM log_positions"),
        ("log_positions_event: expected 'evt_0', found 'none'",),
    ),
    "a key of no contract": (
        ("INSERT INTO idempotency_keys (account_id, key, input_sha256, result, contract_id) "
        "SELECT min(id), 'k', sha256('x'), '{}', 'ctr_0' FROM accounts"),
        ("idempotency_keys_contract: expected 'ctr_0', found 'none'",),
    ),
    "a name of nothing": (
        ("INSERT INTO external_references (account_id, subject_id, system, external_id, contract_id, milestone_id, set_at) "
        "SELECT min(id), 'mil_0', 'trac', '1', 'ctr_0', 'mil_0', now() FROM accounts"),
        (
            "external_references_contract: expected 'ctr_0', found 'none'",
            "external_references_milestone: expected 'mil_0', found 'none'",
        ),
    ),
    "a lost contract": (
        "DELETE FROM contracts WHERE state = 'ACTIVE'",
        ("a contract or an account of that id",),
    ),
    "no row of deployment": ("DELETE FROM deployment", ("deployment.client_fee_bps", "deployment.freelancer_fee_bps")),
    "other fees than the operator set": ("UPDATE deployment SET client_fee_bps = 0", ("deployment.client_fee_bps",)),
    "another secret": ("UPDATE api_keys SET secret_sha256 = sha256('x')", ("api_keys.fingerprint",)),
    "a wider key": ("UPDATE api_keys SET contract_ids = NULL", ("api_keys.contract_ids",)),
    "a promoted member": ("UPDATE members SET role = 'OWNER'", ("members.role",)),
    "a mediator whom nobody appointed": (
        "UPDATE accounts SET is_mediator = true WHERE NOT is_operator",
        ("accounts.is_mediator",),
    ),
}  # fmt: skip


async def test_every_key_that_leads_to_another_server_is_looked_after() -> None:
    assert CROSSING.keys() == {name for place in PLACES.values() for name in place.crossing}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_found(fault: str) -> None:
    sql, told = FAULTS[fault]
    await busy()
    assert await differences() == []
    assert not (await plant(sql)).endswith(" 0")
    found = "\n".join(await differences())
    for line in told:
        assert line in found


CHANGED: Final = {
    "text": "{0} || 'x'",
    "bigint": "coalesce({0}, 0) + 1",
    "integer": "{0} + 1",
    "date": "{0} + 1",
    "boolean": "NOT {0}",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 second'",
    "ARRAY": "{0} || 'x'::text",
}
LOTS: Final = "lots = jsonb_set(lots, '{{0, {0}}}', to_jsonb((lots #>> '{{0, {0}}}')::bigint + 1))"
SPECIAL: Final = {
    "contracts.state": "'ENDED'",
    "contracts.currency": "'EUR'",
    "contracts.deposit_term": "'ALL'",
    "contracts.written_by": "'FREELANCER'",
    "contracts.budget_minor": "5",
    "contracts.ending_requested_at": "ending_requested_at + interval '1 second'",
    "milestones.review_frozen_at": "review_frozen_at + interval '1 second'",
    "milestones.frozen_at": "frozen_at + interval '1 second'",
    "contracts.ending_by": "CASE ending_by WHEN 'CLIENT' THEN 'FREELANCER' END",
    "milestones.hold": "CASE hold WHEN 'DISPUTE' THEN 'REFUND_REQUEST' ELSE hold END",
    "milestones.hold_id": "hold_id || 'x'",
    "milestones.lots": "replace(lots::text, 'dep_', 'Dep_')::jsonb",
    "milestones.bonus_deposit_id": "CASE WHEN bonus_minor > 0 THEN deposit_id END",
    "milestones.bonus_minor": "CASE WHEN bonus_minor > 0 THEN bonus_minor + 1 ELSE 0 END",
    "deposits.reversal": "CASE WHEN reversal IS NOT NULL THEN 'LOST' END",
    "deposits.reversed_at": "reversed_at + interval '1 second'",
    "deposits.forfeited_minor": "CASE WHEN reversal IS NOT NULL THEN 1 ELSE 0 END",
    "deposits.restored_minor": "CASE WHEN reversal IS NOT NULL THEN 1 ELSE 0 END, "
    "forfeited_minor = CASE WHEN reversal IS NOT NULL THEN 1 ELSE 0 END",
    "deposits.reversals": "'[]'",
    "deposits.evidence_due_at": "CASE WHEN reversal IS NOT NULL THEN now() END",
    "refund_requests.state": "CASE state WHEN 'OPEN' THEN 'WITHDRAWN' ELSE state END",
    "refund_requests.milestone_id": "milestone_id || 'x'",
    "disputes.state": "CASE state WHEN 'MEDIATION' THEN 'WITHDRAWN' ELSE state END",
    "disputes.milestone_id": "milestone_id || 'x'",
    "disputes.opened_by": "CASE opened_by WHEN 'CLIENT' THEN 'FREELANCER' ELSE 'CLIENT' END",
    "disputes.to_freelancer_minor": "CASE WHEN state = 'RESOLVED' THEN to_freelancer_minor + 1 END",
    "disputes.answers_refund_id": "CASE WHEN answers_refund_id IS NOT NULL THEN 'ref_0' END",
    "evidence.dispute_id": "'dsp_0'",
    "evidence.side": "'FREELANCER', number = number + CASE side WHEN 'CLIENT' THEN 100 ELSE 0 END",
    "updates.number": "number + 100",
    "evidence.attachments": "'[]'",
    "change_requests.filed_by": "'CLIENT'",
    "change_requests.state": "'DECLINED'",
    "change_requests.changes": "replace(changes::text, 'mil_', 'Mil_')::jsonb",
    "change_requests.words": "'[]'",
    "updates.side": "'CLIENT'",
    "updates.milestone_id": "NULL",
    "updates.attachments": "'[]'",
    "milestones.state": "CASE state WHEN 'PLANNED' THEN 'CANCELLED' ELSE state END",
    "milestones.amount_minor": "CASE WHEN held_minor = 0 THEN amount_minor + 1 ELSE amount_minor END",
    "milestones.review_due_at": "review_due_at + interval '1 second'",
    "milestones.deposit_id": "'dep_0'",
    "milestones.reminded_hours": "CASE state WHEN 'SUBMITTED' THEN 168 END",
    "milestones.hold_until": "CASE WHEN held_minor > 0 THEN now() END",
    "milestones.hold_told_hours": "CASE WHEN held_minor > 0 THEN 24 END, hold_until = CASE WHEN held_minor > 0 THEN now() END",
    "milestones.held_fee_minor": f"held_fee_minor + 1, {LOTS.format('fee_minor')}",
    "deposits.state": "CASE WHEN reversal IS NULL THEN 'ABANDONED' ELSE state END",
    "deposits.currency": "'EUR'",
    "deposits.parts": "'[{}]'",
    "deposits.returned": "'[{}]'",
    "payment_orders.state": "'ABANDONED'",
    "deposits.action": "'REDIRECT'",
    "payment_orders.kind": "CASE kind WHEN 'PAYOUT' THEN 'REFUND' ELSE kind END",
    "payment_orders.currency": "'EUR'",
    "submissions.attachments": "'[]'",
    "balances.currency": "'EUR'",
    "transfers.currency": "'EUR'",
    "deadlines.kind": "CASE kind WHEN 'REVIEW' THEN 'OFFER' ELSE kind END",
}
"""Where a constraint allows only certain values."""

MONEY_TABLES: Final = ("balances", "transfers")

READ_TABLES: Final = {"contracts": CONTRACTS.columns} | TABLES
SHARES: Final = 4
"""Into so many tests the tables are divided: each of their columns takes a whole audit."""


@pytest.mark.parametrize("share", range(SHARES))
async def test_no_column_of_a_read_table_can_change_unseen(share: int) -> None:
    await busy(quarrelling=True)
    for table in sorted(READ_TABLES)[share::SHARES]:
        columns = READ_TABLES[table]
        types = {
            row["column_name"]: row["data_type"]
            for row in await database.fetch("SELECT * FROM information_schema.columns WHERE table_name = $1", table)
        }
        for column in columns:
            if column in ("id", "contract_id"):
                continue
            place = f"{table}.{column}"
            changed = SPECIAL.get(place) or CHANGED[types[column]].format(column)
            if column == "held_minor":
                changed = f"held_minor + 1, amount_minor = amount_minor + 1, {LOTS.format('amount_minor')}"
            where = "WHERE held_minor > 0" if column in ("held_minor", "held_fee_minor") else ""
            await plant(f"CREATE TABLE before AS TABLE {table}; UPDATE {table} SET {column} = {changed} {where}")
            found = await differences(batch=100)
            await plant(f"DELETE FROM {table}; INSERT INTO {table} TABLE before; DROP TABLE before")
            assert any(table.rstrip("s") in one if table in MONEY_TABLES else table in one for one in found), place
    assert await differences() == []
