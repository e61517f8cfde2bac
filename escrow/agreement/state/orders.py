"""An order to the payment provider, as far as the books know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from escrow.money import Money
from escrow.states import OrderKind, OrderStanding, OrderState


@dataclass(frozen=True, slots=True)
class Order:
    """What the payment provider is asked to do, once; its id is in the idempotency key of every call made for it."""

    id: str
    kind: OrderKind
    state: OrderState
    amount: Money
    deposit_id: str | None = None
    payment_token: str | None = field(default=None, compare=False, repr=False)
    """The provider's name for the client's means of payment, while the order is new; as it was read again, sealed. No fact of the
    log, which doesn't keep it, so it makes no difference between two orders."""
    is_stuck: bool = False
    """Whether nobody knows what became of it: a person finds out."""

    @property
    def standing(self) -> OrderStanding:
        return OrderStanding.STUCK if self.is_stuck else OrderStanding.CLEAR
