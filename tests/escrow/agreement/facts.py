"""What the model knows of a contract: plain values, nothing decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.money import Money, RawMoney

DECIMALS: Final = {"JPY": 0, "USD": 2, "BHD": 3, "EUR": 2}
LARGEST: Final = 10**15
OPEN_AND_LOCKED: Final = ("FUNDING", "FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
HOLDING: Final = ("FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
CLOSED: Final = ("RELEASED", "REFUNDED", "SETTLED", "CANCELLED")
WINDOWS: Final = {
    "offer_hours": (720, 1, 2160),
    "deposit_hours": (72, 1, 2160),
    "review_hours": (336, 48, 2160),
    "refund_answer_hours": (168, 48, 2160),
    "dispute_answer_hours": (168, 48, 2160),
    "mediation_hours": (720, 24, 2160),
}
"""Default, least and most, in hours: docs/law.md, section 4."""
REMINDERS: Final = (168, 48, 12)
TWO_DAYS: Final = timedelta(hours=48)
DAY: Final = timedelta(days=1)
SILENCE: Final = timedelta(days=180)
LIMIT_NOTICES: Final = (720, 168, 24)
"""How many hours before the end of a hold limit that is told."""


@dataclass
class Clock:
    """A window of a milestone: it runs until `due`, or stands still with `left` to go."""

    began: datetime
    due: datetime | None
    left: timedelta | None = None
    announced: list[tuple[str, int]] = field(default_factory=list)
    """For which milestone, and how many hours before the window's end, that was told."""

    def stop(self, now: datetime) -> None:
        if self.due is not None:
            self.left, self.due = self.due - now, None

    def go_on(self, now: datetime) -> None:
        if self.left is not None:
            self.began, self.due, self.left = now, now + max(self.left, TWO_DAYS), None
            self.announced = []


@dataclass
class Wish:
    """A refund request."""

    id: str | None
    """`None` for what the ending asks for: the core chooses its name."""
    amount: int
    clock: Clock
    of_ending: bool = False


@dataclass
class Quarrel:
    """A dispute."""

    id: str
    opener: Side
    claim: int
    clock: Clock
    state: str = "OPEN"
    pays: bool = False
    """Whether silence carries the claim out."""
    offers: dict[Side, int] = field(default_factory=dict)
    gave_up: set[Side] = field(default_factory=set)
    evidence: Counter[Side] = field(default_factory=Counter)
    told: int = 0
    by_law: bool = False
    """Whether nobody opened it: the money may be held no longer. The core chooses its name."""


@dataclass
class Piece:
    """A milestone."""

    id: str
    amount: int
    state: str = "PLANNED"
    held: int = 0
    fee: int = 0
    base: int = 0
    base_fee: int = 0
    paid: int = 0
    parts: dict[str, list[int]] = field(default_factory=dict)
    """What of each deposit it holds, the oldest first: of the price, and of the fee."""
    review: Clock | None = None
    deposit: str | None = None
    wish: Wish | None = None
    quarrel: Quarrel | None = None
    bars: dict[Side, datetime] = field(default_factory=dict)
    frozen: bool = False
    bonus: str | None = None
    limits: dict[str, datetime] = field(default_factory=dict)
    """Until when the money of each deposit may be held."""
    known_limit: datetime | None = None
    """The limit that `warned` is about."""
    warned: set[int] = field(default_factory=set)
    """How many hours before its end that was told, or could have been before anybody knew of it."""
    handed_in: bool = False

    @property
    def limit(self) -> datetime | None:
        """When what it holds may be held no longer."""
        return min((until for deposit, until in self.limits.items() if deposit in self.parts), default=None)

    @property
    def limit_matters(self) -> bool:
        """Whether something is to happen at the end of that."""
        mediated = self.quarrel is not None and self.quarrel.state == "MEDIATION"
        return bool(self.limit) and not self.frozen and not mediated

    @property
    def hold(self) -> str:
        return "REFUND_REQUEST" if self.wish else "DISPUTE" if self.quarrel else "NONE"

    @property
    def clocks(self) -> list[tuple[int, Clock]]:
        """Its clocks with their rank among ties."""
        found: list[tuple[int, Clock]] = []
        if self.review is not None:
            found.append((2, self.review))
        if self.wish is not None:
            found.append((3, self.wish.clock))
        if self.quarrel is not None:
            found.append((4 if self.quarrel.state == "OPEN" else 5, self.quarrel.clock))
        return found


@dataclass
class Chargeback:
    """What the provider took of a charge at one time, what of it came again, and how that ended."""

    name: str
    taken: int = 0
    back: int = 0
    end: str | None = None


@dataclass
class Charge:
    """A deposit, or a bonus."""

    id: str
    pieces: list[tuple[str, int, int]]
    """What it is for: milestone, price, fee."""
    clock: Clock
    revision: int
    everything: bool = False
    bonus: bool = False
    state: str = "STARTED"
    returned: list[Money] = field(default_factory=list)
    chargebacks: list[Chargeback] = field(default_factory=list)
    forfeited: int = 0
    """What milestones gave up of it since it was taken back."""
    restored: int = 0
    """What of that the client has got from us after all."""
    started: datetime | None = None
    evidence: datetime | None = None
    """Until when the provider takes evidence, as it said last when it took something."""
    action: str | None = None
    """What the payer has to do."""
    limit: datetime | None = None
    """Until when its money may be held, as it was when it came."""

    @property
    def sum(self) -> int:
        return sum(price + fee for _, price, fee in self.pieces)

    @property
    def out(self) -> int:
        """What the provider has of it and shouldn't."""
        return sum(one.taken - one.back for one in self.chargebacks)

    @property
    def reversal(self) -> str | None:
        ends = {one.end for one in self.chargebacks}
        if not ends:
            return None
        return next(state for state in ("LOST", None, "WON", "WITHDRAWN") if state in ends) or "OPEN"


@dataclass
class Sending:
    """A return or a payout that the provider was asked for."""

    kind: str
    amount: Money
    state: str = "STARTED"
    stuck: bool = False
    """Whether nobody knows what became of it."""
    deposit: str | None = None
    """For a return: of which deposit it is."""


@dataclass
class Petition:
    """A change request."""

    id: str
    author: Side
    changes: tuple[c.RequestedChange, ...]
    state: str = "OPEN"


@dataclass
class Facts:
    """One contract as the law sees it."""

    contract_id: str = ""
    client: str = ""
    freelancer: str = ""
    state: str = ""
    currency: str = ""
    revision: int = 0
    author: Side = Side.CLIENT
    offered: datetime | None = None
    plan_version: int = 0
    windows: dict[str, int] = field(default_factory=dict)
    client_bps: int = 0
    freelancer_bps: int = 0
    needs_all: bool = False
    all_paid: bool = False
    pieces: list[Piece] = field(default_factory=list)
    former: dict[str, Piece] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    charge_orders: set[str] = field(default_factory=set)
    """The orders of deposits and bonuses, of which the provider tells by the deposit's own name."""
    sendings: dict[str, Sending] = field(default_factory=dict)
    unnamed: list[Sending] = field(default_factory=list)
    """Returns whose identifier the core chose; the test names them afterwards."""
    books: Counter[tuple[str, str]] = field(default_factory=Counter)
    ending: bool = False
    went_back: bool = False
    """Whether escrow money went to the client since the ending began."""
    petitions: dict[str, Petition] = field(default_factory=dict)
    settled_quarrels: dict[str, str] = field(default_factory=dict)
    """Disputes that are over, and how."""
    answered_wishes: dict[str, str] = field(default_factory=dict)
    """Refund requests that are over, and how."""
    updates: int = 0
    costs: set[str] = field(default_factory=set)
    """The movements at the provider whose cost is booked."""
    last: datetime | None = None
    """When something last happened."""
    told_of_silence: bool = False
    pays_by_itself: bool = False
    """Whether the freelancer is paid out without asking."""
    was_paid: bool = False
    """Whether the freelancer was just paid something."""
    may_hold: timedelta | None = None
    """For how long the provider may hold money."""
    moment: datetime | None = None
    """When that happens which happens now."""

    def __init_subclass__(cls) -> None:
        _CHANGES.add(cls)

    def twin(self) -> Self:
        """An equal one to try things with, which shares with this one only what never changes."""
        twin: Self = _twin(self, {})
        return twin

    def _book(self, debit: str, credit: str, amount: int, currency: str | None = None) -> None:
        if amount:
            self.books[debit, currency or self.currency] -= amount
            self.books[credit, currency or self.currency] += amount

    def _piece(self, piece_id: str) -> Piece:
        return next((piece for piece in self.pieces if piece.id == piece_id), None) or self.former[piece_id]

    def _index(self, piece_id: str) -> int:
        return next(i for i, piece in enumerate(self.pieces) if piece.id == piece_id)

    def _side(self, actor: Actor) -> Side | None:
        if actor.account_id == self.client:
            return Side.CLIENT
        return Side.FREELANCER if actor.account_id == self.freelancer else None

    def _payable(self, side: Side) -> str:
        return f"payable:{self.contract_id}:{side.value.lower()}"

    @property
    def _transit(self) -> str:
        return f"transit:{self.contract_id}"

    def held(self) -> int:
        return sum(piece.held for piece in self.pieces)

    def wished(self, refund_id: str) -> Piece | None:
        """The milestone that an open refund request is about."""
        return next((one for one in self.pieces if one.wish is not None and one.wish.id == refund_id), None)

    def argued(self, dispute_id: str) -> Piece | None:
        """The milestone that an undecided dispute is about."""
        return next((one for one in self.pieces if one.quarrel is not None and one.quarrel.id == dispute_id), None)


def _twin(of: Any, known: dict[int, Any]) -> Any:
    """What `copy.deepcopy` makes of facts, in a tenth of the time: what isn't a fact or a collection is never changed."""
    kind: Any = type(of)
    if kind not in _CHANGES:
        return of
    if id(of) in known:
        return known[id(of)]
    if kind is list or kind is set:
        twin: Any = kind(_twin(one, known) for one in of)
    elif kind is dict or kind is Counter:
        twin = kind()
        dict.update(twin, {key: _twin(value, known) for key, value in of.items()})
    else:
        twin = kind.__new__(kind)
        twin.__dict__.update({name: _twin(value, known) for name, value in vars(of).items()})
    known[id(of)] = twin
    return twin


_CHANGES: Final[set[type]] = {
    *(list, set, dict, Counter),
    *(Clock, Wish, Quarrel, Piece, Chargeback, Charge, Sending, Petition),
}
"""What may change; whoever tells the facts of a contract adds its own class."""


def minor(raw: RawMoney, currency: str, *, least: int = 1) -> int | None:
    """The amount in minor units, or `None` where the law refuses it."""
    if raw.currency != currency or currency not in DECIMALS or not raw.amount.is_finite():
        return None
    exponent = raw.amount.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > DECIMALS[currency]:
        return None
    if raw.amount < 0 or raw.amount > Decimal(LARGEST):
        return None
    units = int(raw.amount * 10 ** DECIMALS[currency])
    return units if least <= units <= LARGEST else None
