"""What a payment provider is asked: the steps of an order, their keys, and what each call says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from escrow.money import Money

CALL_SECONDS_MAX: Final = 10.0
"""How long one call to a provider may take as a whole: whoever calls cuts it off then, and no adapter waits for longer."""


class Step(StrEnum):
    """The calls that one attempt at an order may take, in their order."""

    PREPARE = "PREPARE"
    """A deposit's charge is made, unconfirmed."""
    CONFIRM = "CONFIRM"
    """The charge takes the money."""
    CANCEL = "CANCEL"
    """A charge that nobody waits for any more is given up."""
    REFUND = "REFUND"
    """Money goes back to the client."""
    TRANSFER = "TRANSFER"
    """Money goes from the platform's balance to the payee's at the provider."""
    PAYOUT = "PAYOUT"
    """Money goes from the payee's balance to its bank."""
    TAKE_BACK = "TAKE_BACK"
    """A transfer whose payout failed comes back to the platform's balance."""


def key_of(order_id: str, attempt: int, step: Step) -> str:
    """The idempotency key of a call: at most 100 characters, always the same for the same three."""
    return f"{order_id}/{attempt}/{step.value.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What every call says. An adapter writes `key`, `order_id` and `group` where the provider keeps them for it (metadata)."""

    key: str
    """The idempotency key of this call, by `key_of`."""
    order_id: str
    """Our order (`pay_…`): reconciliation finds movements by it."""
    group: str
    """The contract (`ctr_…`): what the provider groups movements by (Stripe's `transfer_group`)."""
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest(Request):
    """Asks for a charge that isn't confirmed yet."""

    token: str | None = field(default=None, repr=False)
    """The means of payment that the client named; without one the client gives it to the provider itself."""
    client_id: str
    """The client's account with us (`acc_…`)."""
    return_url: str | None = None
    """Where the payer's browser goes after a redirect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest(Request):
    """Asks for money to go back to where a charge took it from."""

    charge_id: str | None
    """The provider's identifier of the charge; `None` if the money came from no charge that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest(Request):
    """Asks for money to go to a payee's balance at the provider."""

    payee_id: str
    """The provider's identifier of the payee."""
    charge_ids: tuple[str, ...] = ()
    """The charges of this contract, newest first, for a provider that can pay on before a charge's money is available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRequest(Request):
    """Asks for money to go from the payee's balance to its bank."""

    payee_id: str
    transfer_id: str
    """The provider's identifier of the transfer that brought the money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBackRequest(Request):
    """Asks for a transfer to come back."""

    payee_id: str
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked up: by the provider's own identifier where it is known, else by what was sent with the call."""

    step: Step
    key: str
    """The key of the call, to tell this attempt from others of the order."""
    order_id: str
    group: str
    amount: Money
    provider_id: str | None = None
    """The provider's identifier of what the call made."""
    charge_id: str | None = None
    """For a refund: the charge whose refunds are looked through."""
    payee_id: str | None = None
    """For transfers and payouts: whose they are."""
    transfer_id: str | None = None
    """For `TAKE_BACK` and `PAYOUT`."""
    of_any_attempt: bool = False
    """Whether it is lost which attempts there were, an order that waits for a balance makes one an hour: then it is looked for by
    `order_id`, whatever its key was, and only what moved or is on its way is found."""
