"""What a decision asks about the world beside the contract: the parties, a mediator, the time, and the operator's fees."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from escrow.access import AccountType
from escrow.agreement.state.contracts import Fees
from escrow.terms import Terms


@dataclass(frozen=True, slots=True)
class Party:
    """What a decision asks about an account beside the contract."""

    account_id: str
    type: AccountType
    is_operator: bool = False
    disabled: bool = False
    can_be_paid: bool = False
    """Whether the payment provider said so; it matters where `Terms.needs_payees`."""
    missing: tuple[str, ...] = ()
    """What the provider waits for before."""


@dataclass(frozen=True, slots=True)
class Mediator:
    """What a decision asks about an acting account that the operator appointed as a mediator."""

    account_id: str
    disabled: bool = False
    shares_member: bool = False
    """Whether it has a member in common with either party of the contract."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision needs to know of the world, in the same snapshot as the contract: no more than this."""

    now: datetime
    """Domain time: the database's clock and the test clock's offset, never before the contract's last event."""
    fees: Fees
    """What the operator takes now; a revision freezes it."""
    client: Party | None
    freelancer: Party | None
    share_member: bool
    disputes_can_be_decided: bool
    """Whether an enabled mediator or an operator key with `disputes:decide` exists; without one no deposit is taken."""
    mediator: Mediator | None = None
    """The acting account, if it is a mediator."""
    terms: Terms = field(default_factory=Terms)
    """What the payment provider allows."""
