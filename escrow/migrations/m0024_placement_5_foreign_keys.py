"""Has foreign keys lead from contract and part to contract and part, and lets go of indexes that begin as a wider key does.

What is written from now on is checked; what is there the next step looks at, while nobody waits.
"""

from typing import Final

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

FOREIGN: Final = (
    ("milestones", "milestones_deposit", "deposit_id", "deposits (contract_id, id)"),
    ("milestones", "milestones_bonus_deposit", "bonus_deposit_id", "deposits (contract_id, id)"),
    ("deposits", "deposits_order", "order_id", "payment_orders (contract_id, id)"),
    ("submissions", "submissions_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("payment_orders", "payment_orders_deposit", "deposit_id", "deposits (contract_id, id)"),
    ("provider_calls", "provider_calls_order", "order_id", "payment_orders (contract_id, id)"),
    ("refund_requests", "refund_requests_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("disputes", "disputes_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("disputes", "disputes_answered_request", "answers_refund_id", "refund_requests (contract_id, id)"),
    ("evidence", "evidence_dispute", "dispute_id", "disputes (contract_id, id)"),
    ("updates", "updates_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("transfers", "transfers_event", "event_id", "events (stream_id, id)"),
    ("texts", "texts_event", "event_id", "events (stream_id, id)"),
    ("log_pending", "log_pending_event", "event_id", "events (stream_id, id)"),
    ("log_positions", "log_positions_event", "event_id", "events (stream_id, id)"),
    ("external_references", "external_references_milestone", "milestone_id", "milestones (contract_id, id)"),
)
"""Table, constraint, column, and the key that it leads to: now together with the contract."""

STREAMS: Final = ("texts", "log_pending", "log_positions")
"""Tables whose rows say by `stream_id` what they belong to."""

FILLED: Final = (("texts", "stream_id"), ("log_pending", "stream_id"), ("provider_calls", "contract_id"))
"""Columns that are always there from now on."""

NEEDLESS: Final = (
    "deposits_by_contract",
    "submissions_by_contract",
    "payment_orders_by_contract",
    "balances_by_contract",
    "refund_requests_by_contract",
    "disputes_by_contract",
    "evidence_by_contract",
    "change_requests_by_contract",
    "costs_by_contract",
    "transfers_by_contract",
    "texts_unplaced",
    "provider_calls_unplaced",
    "titles_unplaced",
)


def _foreign(table: str, name: str, column: str, key: str) -> str:
    owner = "stream_id" if table in STREAMS else "contract_id"
    return f"""ALTER TABLE {table} DROP CONSTRAINT {name},
        ADD CONSTRAINT {name} FOREIGN KEY ({owner}, {column}) REFERENCES {key} NOT VALID"""


def _filled(table: str, column: str) -> str:
    return f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_not_null NOT NULL {column} NOT VALID"


class Migration(Before):
    release = "1.0.0"
    excused = {
        **{f"{table}.{name}": "the stricter one of that name takes its place at once" for table, name, _, _ in FOREIGN},
        **{name: "a part never changes its contract: it refuses what the former one did" for _, name, _, _ in FOREIGN},
        **{f"{table}_{column}_not_null": "a trigger fills it in for the former release" for table, column in FILLED},
        **dict.fromkeys(NEEDLESS, "no statement names it, and a wider key begins with the same column"),
    }
    dependencies = [("escrow", "m0024_placement_4_rows")]
    operations: list[Operation] = [
        *(RunSQL(_foreign(*one)) for one in FOREIGN),
        *(RunSQL(_filled(*one)) for one in FILLED),
        *(RunSQL(f"DROP INDEX {name}") for name in NEEDLESS),
    ]
