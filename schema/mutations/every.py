"""Lists every mutation of the schema in its order: those on contracts, which can be previewed, and the others."""

from __future__ import annotations

from typing import Final

from schema.mutations import (
    accounts,
    calendars,
    change_requests,
    contracts,
    deliveries,
    deposits,
    disputes,
    endings,
    endpoints,
    fees,
    imports,
    keys,
    members,
    milestones,
    payouts,
    references,
    refunds,
    reversals,
    testclock,
    updates,
    work,
)  # fmt: skip

ON_CONTRACTS: Final = [
    *contracts.FIELDS,
    *milestones.FIELDS,
    *imports.FIELDS,
    *deposits.FIELDS,
    *payouts.FIELDS,
    *reversals.FIELDS,
    *work.FIELDS,
    *updates.FIELDS,
    *change_requests.FIELDS,
    *refunds.FIELDS,
    *endings.FIELDS,
    *disputes.FIELDS,
]

FIELDS: Final = [
    *ON_CONTRACTS,
    *references.FIELDS,
    *accounts.FIELDS,
    *members.FIELDS,
    *keys.FIELDS,
    *fees.FIELDS,
    *calendars.FIELDS,
    *endpoints.FIELDS,
    *deliveries.FIELDS,
    *testclock.FIELDS,
]
