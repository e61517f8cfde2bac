"""Fills a database with contracts on which every one of the compared commands can be carried out, once each, in order.

Contract n is ACTIVE between the same client and freelancer, with a plan of `PLAN` milestones. The first is paid for and under
way, the others are planned; so its work can be submitted, then approved, then the second can be funded and another added. All is
made by SQL past triggers and foreign keys; identifiers tell the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow import database, ids, pipeline
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.ids import Kind
from tests.factories import Deployment

PLAN: Final = 5
EVENTS: Final = 6
"""Of each contract's log, unless another number is wanted."""

AMOUNT_MINOR: Final = 100_000


@dataclass(frozen=True, slots=True)
class Party:
    """An account, and a key of it for everything that parties do."""

    account_id: str
    key_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is to ask for: contracts 1 to `contracts`, of these two parties."""

    contracts: int
    events: int
    """Of each contract."""
    client: Party
    freelancer: Party


def contract_id(number: int) -> str:
    return f"ctr_{number:026}"


def milestone_id(number: int, position: int = 1) -> str:
    """The milestone in that place of contract `number`."""
    return f"mil_{(number - 1) * PLAN + position:026}"


async def fill(contracts: int, *, events: int = EVENTS, is_searched: bool = True) -> Filled:
    """So many contracts in the database that this process is connected to, analysed and vacuumed as autovacuum would.

    Without `is_searched` no title is found by its words, which takes a third of the time.
    """
    there = await Deployment.make(client_bps=0, freelancer_bps=0)
    client, freelancer = [await _party(actor, there.operator) for actor in (there.client, there.freelancer)]
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
        # Row by row, indexes and constraints would take most of the time.
        laid_aside = await connection.fetch(_LAID_ASIDE)
        for one in laid_aside:
            await connection.execute(one["leave"])
        await connection.execute(_CONTRACTS, contracts, client.account_id, freelancer.account_id, events)
        await connection.execute(_MILESTONES, PLAN, AMOUNT_MINOR)
        for statement in (_ORDERS, _DEPOSITS, _BALANCES, _DEADLINES, *([_TITLES] if is_searched else [])):
            await connection.execute(statement)
        await connection.execute(_EVENTS, events, PLAN)
        await connection.execute(_POSITIONS, events)
        await connection.execute(_TRANSFERS, events)
        for one in reversed(laid_aside):
            await connection.execute(one["put_back"])
    await database.execute("VACUUM ANALYZE")
    await database.execute("CHECKPOINT")  # else it is written to disk while something is measured
    return Filled(contracts, events, client, freelancer)


async def _party(whose: Actor, operator: Actor) -> Party:
    account_id, key_id, token = whose.account_id or "", ids.new(Kind.KEY), tokens.new()
    creation = commands.CreateApiKey(
        account_id=account_id,
        key_id=key_id,
        name="Measured",
        scopes=(Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE),
        token=token,
    )
    await pipeline.run(creation, by=operator)
    return Party(account_id, key_id, token.text)


# Foreign keys first, since they need the keys that they refer to; plain indexes last. All are put back the other way round.
_LAID_ASIDE: Final = """
WITH filled AS (
    SELECT oid, oid::regclass::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN ('contracts', 'milestones', 'titles', 'events',
        'log_positions', 'deposits', 'payment_orders', 'balances', 'transfers', 'deadlines')
)
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', rule.conrelid::regclass, rule.conname) AS leave,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s%s', rule.conrelid::regclass, rule.conname, pg_get_constraintdef(rule.oid),
        CASE WHEN rule.contype IN ('f', 'c') THEN ' NOT VALID' ELSE '' END) AS put_back,
    position(rule.contype::text IN 'fcup') AS place, rule.conname AS name
FROM pg_constraint AS rule
WHERE rule.contype IN ('f', 'c', 'u', 'p')
    AND (rule.conrelid IN (SELECT oid FROM filled) OR rule.confrelid IN (SELECT oid FROM filled))
UNION ALL
SELECT format('DROP INDEX %s', index.indexrelid::regclass), pg_get_indexdef(index.indexrelid), 9, filled.name
FROM pg_index AS index JOIN filled ON filled.oid = index.indrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint AS rule WHERE rule.conindid = index.indexrelid)
ORDER BY place, name
"""
_OURS: Final = "FROM contracts AS contract WHERE contract.id LIKE 'ctr\\_0%'"
_FIRST: Final = "FROM milestones AS first WHERE first.position = 1 AND first.id LIKE 'mil\\_0%'"

_CONTRACTS: Final = """
INSERT INTO contracts (
    id, client_id, freelancer_id, state, title, description, currency, time_zone, deposit_term, revision, written_by,
    offered_at, plan_version, offer_hours, deposit_hours, review_hours, refund_answer_hours, dispute_answer_hours,
    mediation_hours, client_fee_bps, freelancer_fee_bps, version, last_hash, last_event_at, created_at, updated_at)
SELECT 'ctr_' || lpad(n::text, 26, '0'), $2, $3, 'ACTIVE', 'Website number ' || n, 'With a shop', 'USD', 'UTC', 'FIRST', 1,
    'CLIENT', now(), 1, 720, 72, 336, 168, 168, 720, 0, 0, $4, repeat('0', 64), now(), now(), now()
FROM generate_series(1, $1::int) AS n
"""
_MILESTONES: Final = r"""
INSERT INTO milestones (
    id, contract_id, revision, position, state, title, purpose, deliverables, due_on, amount_minor, held_minor,
    held_fee_minor, base_minor, base_fee_minor, released_minor, refunded_minor, freelancer_fee_minor, client_fee_minor,
    submissions, deposit_id, updated_at, client_id, freelancer_id, lots)
SELECT 'mil_' || lpad(number::text, 26, '0'), contract.id, 1, place, CASE WHEN place = 1 THEN 'ACTIVE' ELSE 'PLANNED' END,
    'Wireframe of page ' || place, 'So that everybody sees where it goes', ARRAY['One page', 'Its source'],
    date '2100-01-01' + (number * 31 % 700)::int, $2::int, CASE WHEN place = 1 THEN $2::int ELSE 0 END, 0,
    CASE WHEN place = 1 THEN $2::int ELSE 0 END, 0, 0, 0, 0, 0, 0,
    CASE WHEN place = 1 THEN 'dep' || substr(contract.id, 4) END, contract.updated_at, contract.client_id,
    contract.freelancer_id, CASE WHEN place = 1 THEN jsonb_build_array(jsonb_build_object(
        'deposit_id', 'dep' || substr(contract.id, 4), 'amount_minor', $2::int, 'fee_minor', 0)) ELSE '[]' END
FROM contracts AS contract CROSS JOIN generate_series(1, $1::int) AS place
    CROSS JOIN LATERAL (SELECT (substr(contract.id, 5)::bigint - 1) * $1::int + place AS number) AS numbered
WHERE contract.id LIKE 'ctr\_0%'
"""
_ORDERS: Final = f"""
INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, deposit_id, payment_token, due_at)
SELECT 'pay' || substr(first.contract_id, 4), first.contract_id, 'DEPOSIT', 'PAID', first.amount_minor, 'USD',
    first.deposit_id, NULL, NULL
{_FIRST}
"""
_DEPOSITS: Final = f"""
INSERT INTO deposits (id, contract_id, order_id, revision, state, parts, charge_minor, currency, started_at, due_at)
SELECT first.deposit_id, first.contract_id, 'pay' || substr(first.contract_id, 4), 1, 'CONFIRMED',
    jsonb_build_array(jsonb_build_object('milestone_id', first.id, 'amount_minor', first.amount_minor, 'fee_minor', 0)),
    first.amount_minor, 'USD', first.updated_at, first.updated_at + interval '72 hours'
{_FIRST}
"""
_BALANCES: Final = f"""
INSERT INTO balances (account, currency, contract_id, balance_minor)
SELECT 'escrow:' || first.id, 'USD', first.contract_id, first.amount_minor {_FIRST}
"""
_DEADLINES: Final = f"""
INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
SELECT contract.id, 'DORMANCY', contract.id, contract.updated_at + interval '180 days' {_OURS}
"""
_TITLES: Final = f"""
INSERT INTO titles (contract_id, subject_id, words)
SELECT contract.id, contract.id, title_lexemes('ctr', contract.client_id, contract.freelancer_id, contract.title) {_OURS}
UNION ALL
SELECT contract_id, id, title_lexemes('mil', client_id, freelancer_id, title) FROM milestones WHERE id LIKE 'mil\\_0%'
"""
_EVENTS: Final = r"""
INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash)
SELECT 'evt_' || lpad(number::text, 26, '0'), contract.id, place, 'milestone.activated', 1, contract.updated_at,
    format(
        '{"actor":{"kind":"SYSTEM"},"data":{"milestoneId":"%s"},"id":"evt_%s","occurredAt":"%s","previousHash":"%s",'
        '"sequence":%s,"stream":"%s","type":"milestone.activated","version":1}',
        'mil_' || lpad(((substr(contract.id, 5)::bigint - 1) * $2::int + 1)::text, 26, '0'), lpad(number::text, 26, '0'),
        to_char(contract.updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), repeat('0', 64), place, contract.id
    ), repeat('0', 64), CASE WHEN place > 1 THEN repeat('0', 64) END
FROM contracts AS contract CROSS JOIN generate_series(1, $1::int) AS place
    CROSS JOIN LATERAL (SELECT (substr(contract.id, 5)::bigint - 1) * $1::int + place AS number) AS numbered
WHERE contract.id LIKE 'ctr\_0%'
"""
# The positions of the events before them, the deployment's own, are not given: their sequencer never ran.
_POSITIONS: Final = r"""
WITH forgotten AS (DELETE FROM log_pending)
INSERT INTO log_positions (position, event_id, stream_id, client_id, freelancer_id)
SELECT substr(event.id, 5)::bigint, event.id, contract.id, contract.client_id, contract.freelancer_id
FROM contracts AS contract JOIN events AS event ON event.stream_id = contract.id AND event.sequence <= $1::int
WHERE contract.id LIKE 'ctr\_0%' ORDER BY 1
"""
_TRANSFERS: Final = f"""
INSERT INTO transfers (id, contract_id, event_id, debit, credit, amount_minor, currency, occurred_at)
SELECT 'trf' || substr(first.contract_id, 4), first.contract_id,
    'evt_' || lpad((substr(first.contract_id, 5)::bigint * $1::int)::text, 26, '0'), 'clearing:USD', 'escrow:' || first.id,
    first.amount_minor, 'USD', first.updated_at
{_FIRST}
"""
