"""Claims: what one reads and how it is planned hang on how many orders it takes, not on how many there are."""

from __future__ import annotations

from typing import Final

import pytest

from escrow import database
from escrow.payments import leases
from tests import plans
from tests.escrow.payments.stage import strike

MANY: Final = 3_000
CUSTOM_PLANS: Final = 5
"""So many times PostgreSQL plans a prepared statement for its arguments before it considers one plan for all."""

_MANY_PAYOUTS: Final = """
    WITH orders AS (
        INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, due_at)
        SELECT 'pay_' || lpad(number::text, 26, '0'), $1, 'PAYOUT', 'STARTED', 1, 'USD', now() - number * interval '1 second'
        FROM generate_series(1, $2::int) AS number RETURNING contract_id, id)
    INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider)
    SELECT contract_id, id, 'TRANSFER', 1, 'stripe' FROM orders
"""


@plans.of_whole_tables
@pytest.mark.parametrize("is_analyzed", [False, True])
async def test_a_claim_looks_up_what_was_asked_for_its_orders_however_many_calls_there_are(
    untouched_database: str, is_analyzed: bool
) -> None:
    deal = await strike("100.00")
    await database.execute(_MANY_PAYOUTS, deal.id, MANY)
    if is_analyzed:
        await database.execute("ANALYZE payment_orders, provider_calls")
    arguments = (10, "token", leases.LEASE_SECONDS, "stripe", "stripe")
    planned = await plans.explain(leases._CLAIM, *arguments, run=False)
    assert not planned.read_whole & {"provider_calls", "provider_movements"}
    assert "payment_orders_due" in planned.indexes


@pytest.mark.usefixtures("untouched_database")
@pytest.mark.parametrize("is_analyzed", [False, True])
@pytest.mark.parametrize("payees_of", [None, "stripe"])
async def test_a_claim_is_planned_once_for_any_number_of_orders(payees_of: str | None, is_analyzed: bool) -> None:
    deal = await strike("100.00")
    await database.execute(_MANY_PAYOUTS, deal.id, MANY)
    if is_analyzed:
        await database.execute("ANALYZE payment_orders, provider_calls, contracts")
    claims = [(limit, "token", leases.LEASE_SECONDS, payees_of, "stripe") for limit in range(1, 11)]
    assert await plans.planned(leases._CLAIM, *claims) == (CUSTOM_PLANS, len(claims) - CUSTOM_PLANS)
