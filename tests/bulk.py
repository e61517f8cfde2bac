"""Many contracts and milestones at once, made by SQL past triggers and foreign keys: for plans and figures at scale.

Contract n of `contracts` is between a client and a freelancer that its number gives: one client in a hundred contracts is
`acc_rare`, the others belong to `acc_busy` and, every tenth, to the operator's other clients.
"""

from __future__ import annotations

from typing import Final

from escrow import database

BUSY: Final = "acc_busy"
RARE: Final = "acc_rare"
PLAN: Final = 5
"""Milestones of each contract."""


async def fill(contracts: int) -> None:
    """So many contracts with `PLAN` milestones each, analysed as autovacuum would."""
    await database.fetch("SELECT 1")  # the pool is made with the first statement
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_CONTRACTS, contracts)
        await connection.execute(_MILESTONES, contracts, PLAN)
        await connection.execute(_TITLES)
    await database.execute("ANALYZE contracts, milestones, titles")


async def fill_log() -> None:
    """For each moment at which something of a contract last changed its event, in the order of these moments."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_EVENTS)
        await connection.execute(_POSITIONS)
    await database.execute("ANALYZE events, log_positions")


_CONTRACTS: Final = """
INSERT INTO contracts (
    id, client_id, freelancer_id, state, title, description, currency, time_zone, deposit_term, revision, written_by,
    offered_at, plan_version, offer_hours, deposit_hours, review_hours, refund_answer_hours, dispute_answer_hours,
    mediation_hours, client_fee_bps, freelancer_fee_bps, version, last_hash, last_event_at, created_at, updated_at,
    deadline_at)
SELECT 'ctr_' || lpad(n::text, 26, '0'),
    CASE WHEN n % 1000 = 7 THEN 'acc_rare' WHEN n % 10 = 3 THEN 'acc_c' || n % 500 ELSE 'acc_busy' END, 'acc_f' || n % 300,
    (ARRAY['ACTIVE', 'ACTIVE', 'ACTIVE', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'DECLINED'])[1 + n % 8],
    CASE WHEN n % 5000 = 11 THEN 'Zeppelin hangar ' || n ELSE 'Website number ' || n END, '',
    CASE WHEN n % 3 = 0 THEN 'EUR' ELSE 'USD' END, 'UTC', 'FIRST', 1, 'CLIENT',
    at.moment, 1, 720, 72, 336, 168, 168, 720, 0, 0, 1, repeat('0', 64), at.moment, at.moment, at.moment,
    CASE WHEN n % 8 < 3 THEN at.moment + interval '14 days' END
FROM generate_series(1, $1::int) AS n
    CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' + n * 7919 % $1::int * interval '1 minute' AS moment) AS at
"""
_MILESTONES: Final = """
INSERT INTO milestones (
    id, contract_id, revision, position, state, title, purpose, deliverables, due_on, amount_minor, held_minor,
    held_fee_minor, base_minor, base_fee_minor, released_minor, refunded_minor, freelancer_fee_minor, client_fee_minor,
    submissions, review_due_at, updated_at, client_id, freelancer_id, deadline_at, lots)
SELECT 'mil_' || lpad(number::text, 26, '0'), contract.id, 1, place, row.state,
    CASE WHEN number % 20000 = 13 THEN 'Zeppelin mast' ELSE 'Wireframe of page ' || place END, '', '{}',
    date '2026-01-01' + (number * 31 % 700)::int, 1000, CASE WHEN row.state = 'SUBMITTED' THEN 1000 ELSE 0 END, 0, 0, 0, 0,
    0, 0, 0, 0, row.clock, contract.updated_at + place * interval '1 second', contract.client_id, contract.freelancer_id,
    row.clock, CASE WHEN row.state = 'SUBMITTED' THEN '[{"deposit_id": "dep_1", "amount_minor": 1000, "fee_minor": 0}]'::jsonb
        ELSE '[]' END
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM contracts WHERE id LIKE 'ctr\\_0%') AS contract
    CROSS JOIN generate_series(1, $2::int) AS place
    CROSS JOIN LATERAL (SELECT (n - 1) * $2::int + place AS number WHERE n <= $1::int) AS numbered
    CROSS JOIN LATERAL (
        SELECT CASE WHEN contract.state <> 'ACTIVE' THEN 'RELEASED' WHEN number % 97 = 0 THEN 'SUBMITTED'
            ELSE 'PLANNED' END AS state,
            CASE WHEN contract.state = 'ACTIVE' AND number % 97 = 0 THEN contract.deadline_at END AS clock) AS row
"""
_TITLES: Final = """
INSERT INTO titles (contract_id, subject_id, words)
SELECT id, id, title_lexemes('ctr', client_id, freelancer_id, title) FROM contracts WHERE id LIKE 'ctr\\_0%'
UNION ALL SELECT contract_id, id, title_lexemes('mil', client_id, freelancer_id, title) FROM milestones WHERE id LIKE 'mil\\_0%'
"""
_EVENTS: Final = """
INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash)
SELECT 'evt_' || lpad((row_number() OVER (ORDER BY at, stream_id))::text, 26, '0'), stream_id, sequence,
    'contract.accepted', 1, at, '{"data": {}}', repeat('0', 64), CASE WHEN sequence > 1 THEN repeat('0', 64) END
FROM (
    SELECT stream_id, at, row_number() OVER (PARTITION BY stream_id ORDER BY at) AS sequence FROM (
        SELECT id AS stream_id, updated_at AS at FROM contracts UNION SELECT contract_id, updated_at FROM milestones
    ) AS changed
) AS numbered
"""
_POSITIONS: Final = """
INSERT INTO log_positions (position, event_id, stream_id, client_id, freelancer_id, placed_at)
SELECT row_number() OVER (ORDER BY event.id), event.id, stream_id, client_id, freelancer_id, occurred_at
FROM events AS event JOIN contracts AS contract ON contract.id = event.stream_id
"""
