"""Everything that a payment provider can answer: of a call, of a look-up, of a payee; and the errors that are no answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from escrow.money import Money
from escrow.states import ActionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerAction:
    """What the payer must do, with what, and until when. For the payer's eyes alone: a client secret pays."""

    kind: ActionKind
    url: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    reference: str | None = None
    until: datetime | None = None
    """When the provider gives up waiting, in real time; `None` if it doesn't say."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The provider changed money: `of` became what is booked in the other currency, at `rate` (what one unit of `of` gave)."""

    of: Money
    into: Money
    rate: Decimal | None = None


class ReversalStage(StrEnum):
    """Where the provider says that a reversal stands."""

    OPEN = "OPEN"
    """The money was taken back and the argument goes on."""
    WON = "WON"
    """The money came again."""
    LOST = "LOST"
    """It stays away."""
    WITHDRAWN = "WITHDRAWN"
    """The client took it back: the money came again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A reversal (chargeback, dispute) as the provider tells it now. `amount` may be a part of the charge."""

    stage: ReversalStage
    amount: Money
    provider_id: str
    """The provider's identifier of the reversal, so that a second one of the same charge is told from the first."""
    fee: Money | None = None
    """What the provider took for it so far, net of what it gave back."""
    evidence_until: datetime | None = None
    """When evidence must be there, in real time."""
    reason: str = ""
    """For people."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider has no such thing: nothing came of the call so far."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The charge exists, moves nothing, and waits to be confirmed."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider accepted the call and has no result yet."""

    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class NeedsAction:
    """The charge goes on when the payer has done something."""

    provider_id: str
    action: PayerAction


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money moved: `amount` is what the provider says that it moved, which may not be what was asked."""

    amount: Money
    provider_id: str = ""
    fee: Money | None = None
    """What the provider took for it, where it says so at once; reconciliation books it from the movements in any case."""
    hold_until: datetime | None = None
    """When it has to have left the provider's balance by its own clock. No rule reads it: the provider's terms count."""
    available_at: datetime | None = None
    """When it can be paid on; `None` at once."""
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Definite: nothing moved, or what moved came back, and this attempt never moves anything. `reason` is for people.

    Of what had succeeded before (a payout that bounced) it says that the money came back.
    """

    reason: str
    provider_id: str = ""
    again: bool = True
    """Whether another attempt at the same thing may come to something else."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Definite, too: nothing moved, but the same may be asked for again from `again_at` on, as another attempt (a balance that
    isn't available yet)."""

    reason: str
    again_at: datetime | None = None
    """`None`: whenever the caller likes."""


@dataclass(frozen=True, slots=True)
class Reversed:
    """A charge that succeeded as `charge` and was taken back, all or in part. Only a charge comes to this."""

    charge: Succeeded
    reversal: Reversal
    others: tuple[Reversal, ...] = ()
    """Earlier reversals of the same charge."""


Answer = Pending | NeedsAction | Succeeded | Failed | NotYet
"""What a call that moves money may answer: most providers accept first and tell the result later."""

Found = Unknown | Prepared | Pending | NeedsAction | Succeeded | Failed | Reversed
"""What a look-up may find. After `Reversed` with `WON` or `WITHDRAWN` the money is there again."""


class ProviderError(Exception):
    """The provider couldn't be asked, or its answer was lost. The message holds no secret: it is kept and logged."""


class StoredFault(ProviderError):
    """The provider keeps a fault of its own under this key and repeats it to whoever calls: with this key nothing will be done
    any more. Whether something was done is for a look-up to find, now or later: that it finds nothing is no failure, and what
    moves money gets no other key for it."""


class NoticeRefused(Exception):
    """Whoever sent the notice isn't the provider (a wrong or missing signature), or it is too old to be taken: 401."""


class NoticeMalformed(Exception):
    """The notice is signed as it should be and can't be read: 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeState:
    """Whether a payee can be paid now, as the provider sees it."""

    can_be_paid: bool
    missing: tuple[str, ...] = ()
    """What the provider waits for from the payee, in its own words (`external_account`)."""
    until: datetime | None = None
    """When something missing will have the payee paid no more, in real time."""


@dataclass(frozen=True, slots=True)
class OnboardingLink:
    """Where the payee gives the provider what is missing; whoever has the link acts as the payee."""

    url: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """There is news about something: by our order, by the provider's own identifier of anything that an order made, or about a
    payee. A hint may come twice, late, in the wrong order, or not at all."""

    order_id: str | None = None
    provider_id: str | None = None
    payee_id: str | None = None
