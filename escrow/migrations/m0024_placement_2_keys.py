"""Builds the unique keys that hold within a contract, each beside the narrower one that `escrow.placement` names with it.

What the narrower one lets through, the wider one does: nobody's rows can break it. The indexes of what is unplaced find what
the step after next has to fill in.
"""

from typing import Final

from tortoise.migrations.operations import Operation

from escrow.parts import Before, Concurrently

KEYS: Final = {
    "milestones_in_contract": "milestones (contract_id, id)",
    "deposits_in_contract": "deposits (contract_id, id)",
    "deposits_order_in_contract": "deposits (contract_id, order_id)",
    "submissions_in_contract": "submissions (contract_id, id)",
    "submissions_numbers_in_contract": "submissions (contract_id, milestone_id, number)",
    "payment_orders_in_contract": "payment_orders (contract_id, id)",
    "provider_calls_in_contract": "provider_calls (contract_id, order_id, step, attempt)",
    "balances_in_contract": "balances (contract_id, account, currency)",
    "refund_requests_in_contract": "refund_requests (contract_id, id)",
    "refund_requests_one_holds_in_contract": "refund_requests (contract_id, milestone_id) WHERE state = 'OPEN'",
    "disputes_in_contract": "disputes (contract_id, id)",
    "disputes_one_holds_in_contract": "disputes (contract_id, milestone_id) WHERE state IN ('OPEN', 'MEDIATION')",
    "evidence_in_contract": "evidence (contract_id, dispute_id, side, number)",
    "change_requests_in_contract": "change_requests (contract_id, id)",
    "costs_in_contract": "costs (contract_id, id)",
    "transfers_in_contract": "transfers (contract_id, id)",
    "titles_in_contract": "titles (contract_id, subject_id)",
    "events_in_contract": "events (stream_id, id)",
    "texts_in_contract": "texts (stream_id, event_id, field)",
    "log_pending_in_contract": "log_pending (stream_id, serial)",
    "log_pending_once_in_contract": "log_pending (stream_id, event_id)",
}

UNPLACED: Final = {
    "texts_unplaced": "texts (event_id) WHERE stream_id IS NULL",
    "provider_calls_unplaced": "provider_calls (order_id) WHERE contract_id IS NULL",
    "titles_unplaced": "titles (subject_id) WHERE contract_id IS NULL",
}


class Migration(Before):
    release = "1.0.0"
    excused = dict.fromkeys(KEYS, "a narrower unique key of the same rows is there already")
    dependencies = [("escrow", "m0024_placement_1_columns")]
    operations: list[Operation] = [
        *(Concurrently(name, f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {key}") for name, key in KEYS.items()),
        *(Concurrently(name, f"CREATE INDEX CONCURRENTLY {name} ON {rows}") for name, rows in UNPLACED.items()),
    ]
