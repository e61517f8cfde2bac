"""Lists every mutation of the schema in its order: those on contracts, which can be previewed, and the others."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from strawberry.types.field import StrawberryField

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
    orders,
    payees,
    payouts,
    references,
    refunds,
    reversals,
    sessions,
    testclock,
    updates,
    work,
)


def fields_of(*modules: ModuleType) -> list[StrawberryField]:
    """The mutations that modules define, in the order in which they stand there."""
    return [value for module in modules for value in vars(module).values() if isinstance(value, StrawberryField)]


ON_CONTRACTS: Final = fields_of(
    contracts,
    milestones,
    imports,
    deposits,
    payouts,
    reversals,
    orders,
    work,
    updates,
    change_requests,
    refunds,
    endings,
    disputes,
)

OF_REAL_MONEY: Final = [
    *ON_CONTRACTS,
    *fields_of(references, accounts, members, keys, sessions, fees, payees, calendars, endpoints, deliveries),
]
"""What there is where money is real."""

FIELDS: Final = [*OF_REAL_MONEY, *fields_of(testclock)]
"""What there is in a sandbox: everything, also the clock that can be moved."""
