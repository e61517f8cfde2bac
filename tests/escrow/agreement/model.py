"""A second, plain telling of the law, written from its text and not from the rules that it judges.

It says of each command whether it is refused and with which code, and what contract, milestones and books look like
afterwards. It shares the vocabulary with the core (states, commands, actors) and none of its rules.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import available_timezones

from escrow.access import Actor, ActorKind, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Surroundings
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
"""Default, least and most, in hours: section 4."""

RANKS: Final = [Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.OWNER]
BY_THE_CLIENT: Final = (
    c.AddMilestone, c.EditMilestone, c.MoveMilestone, c.RemoveMilestone, c.Fund, c.CancelFunding, c.Approve,
    c.RequestChanges,
)  # fmt: skip
BY_THE_FREELANCER: Final = (c.Submit, c.RequestPayout)
MOVES_MONEY: Final = (c.Fund, c.CancelFunding, c.Approve, c.RequestPayout)
NEEDS_ENABLED: Final = (c.Propose, c.Revise, c.Accept, c.Fund)
EDITS: Final = (c.EditMilestone, c.MoveMilestone, c.RemoveMilestone)
ON_A_MILESTONE: Final = (*EDITS, c.Fund, c.CancelFunding, c.Submit, c.Approve, c.RequestChanges)
REPORTS: Final = (c.ConfirmDeposit, c.FailDeposit, c.ConfirmOrder, c.FailOrder)


@dataclass
class Piece:
    """A milestone."""

    id: str
    amount: int
    state: str = "PLANNED"
    held: int = 0
    fee: int = 0
    review_due: datetime | None = None
    deposit: str | None = None


@dataclass
class Charge:
    """A deposit."""

    id: str
    piece: str
    amount: int
    fee: int
    due: datetime
    state: str = "STARTED"
    returned: list[Money] = field(default_factory=list)


@dataclass
class Sending:
    """A return or a payout that the provider was asked for."""

    kind: str
    amount: Money
    state: str = "STARTED"


@dataclass
class Model:
    """One contract as the law sees it. ``take`` says what becomes of a command."""

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
    pieces: list[Piece] = field(default_factory=list)
    former: dict[str, Piece] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    sendings: dict[str, Sending] = field(default_factory=dict)
    unnamed: list[Sending] = field(default_factory=list)
    """Returns whose identifier the core chose; the test names them afterwards."""
    books: Counter[tuple[str, str]] = field(default_factory=Counter)

    # -- what is asked from outside -------------------------------------------------------------------------------

    def take(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        """Applies what is due and then the command; gives the code of its refusal. Must be given a copy to try."""
        self.let_time_pass(around.now)
        code = self.refusal(command, actor, around)
        if code is None:
            self._carry_out(command, actor, around)
            self._settle()
        return code

    def due(self) -> list[tuple[datetime, int, int, str]]:
        """What silence will do, in the order in which it does it: time, rank of its kind, position, subject."""
        clocks: list[tuple[datetime, int, int, str]] = []
        if self.state == "PROPOSED" and self.offered is not None:
            clocks.append((self.offered + timedelta(hours=self.windows["offer_hours"]), 0, 0, self.contract_id))
        if self.state == "ACTIVE":
            for position, piece in enumerate(self.pieces, 1):
                if piece.state == "FUNDING" and piece.deposit is not None:
                    clocks.append((self.charges[piece.deposit].due, 1, position, piece.deposit))
                if piece.state == "SUBMITTED" and piece.review_due is not None:
                    clocks.append((piece.review_due, 2, position, piece.id))
        return sorted(clocks)

    def let_time_pass(self, now: datetime) -> None:
        while (clocks := self.due()) and clocks[0][0] <= now:
            _, rank, _, subject = clocks[0]
            if rank == 0:
                self._die("EXPIRED")
            elif rank == 1:
                self._give_up(subject, "ABANDONED")
            else:
                self._release(self._piece(subject))
            self._settle()

    def held(self) -> int:
        return sum(piece.held for piece in self.pieces)

    # -- refusals, in the law's order -----------------------------------------------------------------------------

    def refusal(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        if isinstance(command, REPORTS):
            return self._refusal_of_report(command, actor)
        if isinstance(command, c.ApplyDeadlines):
            return None if self.state else "NOT_FOUND"
        if isinstance(command, c.Propose):
            return self._refusal_of_proposal(command, actor, around)
        return (
            self._unseen(actor)
            or self._not_by_the_table(command, actor, around)
            or self._version_moved(command)
            or self._no_such_object(command)
            or self._wrong_state(command, actor, around)
            or self._not_your_turn(command, actor)
            or self._same_party(command, around)
            or self._bad_input(command)
            or self._out_of_sequence(command)
        )

    def _unseen(self, actor: Actor) -> str | None:
        if not self.state:
            return "NOT_FOUND"
        if actor.contract_ids is not None and self.contract_id not in actor.contract_ids:
            return "NOT_FOUND"
        sees = actor.kind is not ActorKind.ACCOUNT or actor.account_id in (self.client, self.freelancer)
        return None if sees else "NOT_FOUND"

    def _not_by_the_table(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        side = self._side(actor)
        if side is None or actor.kind is not ActorKind.ACCOUNT:
            return "FORBIDDEN"
        if isinstance(command, BY_THE_CLIENT) and side is not Side.CLIENT:
            return "FORBIDDEN"
        if isinstance(command, BY_THE_FREELANCER) and side is not Side.FREELANCER:
            return "FORBIDDEN"
        needed = Role.MANAGER
        if isinstance(command, c.Submit):
            needed = Role.MEMBER
        if isinstance(command, c.RequestPayout):
            needed = Role.OWNER
        if RANKS.index(actor.role) < RANKS.index(needed):
            return "FORBIDDEN"
        scope = Scope.MONEY_WRITE if isinstance(command, MOVES_MONEY) else Scope.CONTRACTS_WRITE
        if scope not in actor.scopes:
            return "FORBIDDEN"
        own = around.client if side is Side.CLIENT else around.freelancer
        if isinstance(command, NEEDS_ENABLED) and own is not None and own.disabled:
            return "FORBIDDEN"
        return None

    def _version_moved(self, command: c.Command) -> str | None:
        if isinstance(command, c.Accept) and command.revision != self.revision:
            return "VERSION_CONFLICT"
        if isinstance(command, c.Fund) and command.revision not in (None, self.revision):
            return "VERSION_CONFLICT"
        expected = getattr(command, "expected_version", None)
        return "VERSION_CONFLICT" if expected not in (None, self.plan_version) else None

    def _no_such_object(self, command: c.Command) -> str | None:
        if not isinstance(command, ON_A_MILESTONE):
            return None
        known = {piece.id for piece in self.pieces} | set(self.former)
        return None if command.milestone_id in known else "NOT_FOUND"

    def _wrong_state(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        if isinstance(command, c.Approve) and self._piece(command.milestone_id).state == "RELEASED":
            return None
        proposals = (c.Revise, c.Accept, c.Decline, c.Withdraw)
        if isinstance(command, proposals) and self.state != "PROPOSED":
            return "INVALID_STATE"
        if isinstance(command, (c.AddMilestone, *ON_A_MILESTONE)) and self.state != "ACTIVE":
            return "INVALID_STATE"
        if isinstance(command, NEEDS_ENABLED):
            other = around.freelancer if self._side(actor) is Side.CLIENT else around.client
            if other is not None and other.disabled:
                return "INVALID_STATE"
        if isinstance(command, c.Fund) and not around.disputes_can_be_decided:
            return "INVALID_STATE"
        return self._wrong_milestone_state(command) if isinstance(command, ON_A_MILESTONE) else None

    def _wrong_milestone_state(self, command: c.Command) -> str | None:
        piece = self._piece(getattr(command, "milestone_id"))  # noqa: B009 - the union has no common base
        if isinstance(command, EDITS):
            return None if piece.state == "PLANNED" else "MILESTONE_LOCKED"
        if isinstance(command, c.Fund):
            return None if piece.state == "PLANNED" else "INVALID_STATE"
        if isinstance(command, c.CancelFunding):
            return None if piece.state == "FUNDING" else "INVALID_STATE"
        if piece.state == "FUNDED":
            return "OUT_OF_SEQUENCE"
        if isinstance(command, c.Submit):
            fits = piece.state in ("ACTIVE", "CHANGES_REQUESTED")
        elif isinstance(command, c.Approve):
            fits = piece.state in ("ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
        else:
            fits = piece.state == "SUBMITTED"
        return None if fits else "INVALID_STATE"

    def _not_your_turn(self, command: c.Command, actor: Actor) -> str | None:
        if isinstance(command, (c.Revise, c.Accept, c.Decline)) and self._side(actor) is self.author:
            return "FORBIDDEN"
        if isinstance(command, c.Withdraw) and self._side(actor) is not self.author:
            return "FORBIDDEN"
        return None

    def _same_party(self, command: c.Command, around: Surroundings) -> str | None:
        return "SAME_PARTY" if isinstance(command, c.Accept) and around.share_member else None

    def _bad_input(self, command: c.Command) -> str | None:
        ok = True
        if isinstance(command, c.Revise):
            ok = self._good_terms(command.terms, self.currency) and self._good_plan(command.plan, self.currency)
        elif isinstance(command, c.AddMilestone):
            ok = self._good_plan((command.milestone,), self.currency) and len(self.pieces) < 200
            ok = ok and (command.position is None or 1 <= command.position <= len(self.pieces) + 1)
        elif isinstance(command, c.EditMilestone):
            ok = command.amount is None or minor(command.amount, self.currency) is not None
            ok = ok and (command.title is None or bool(command.title.strip()))
        elif isinstance(command, c.MoveMilestone):
            ok = 1 <= command.position <= len(self.pieces)
        elif isinstance(command, c.RequestChanges):
            ok = bool(command.note.strip())
        elif isinstance(command, c.RequestPayout):
            return self._bad_payout(command)
        return None if ok else "INVALID_INPUT"

    def _bad_payout(self, command: c.RequestPayout) -> str | None:
        payable = self.books[self._payable(Side.FREELANCER), self.currency]
        if command.amount is not None:
            asked = minor(command.amount, self.currency)
            if asked is None:
                return "INVALID_INPUT"
            return "INSUFFICIENT_FUNDS" if asked > payable else None
        return None if payable else "INSUFFICIENT_FUNDS"

    def _good_terms(self, terms: c.Terms, currency: str) -> bool:
        for name, hours in terms.windows.items():
            if name not in WINDOWS or not WINDOWS[name][1] <= hours <= WINDOWS[name][2]:
                return False
        if terms.title is not None and not terms.title.strip():
            return False
        if terms.time_zone is not None and terms.time_zone not in available_timezones():
            return False
        if terms.currency is not None and terms.currency != currency:
            return False
        return terms.budget is None or minor(terms.budget, currency) is not None

    def _good_plan(self, plan: tuple[c.MilestoneDraft, ...], currency: str) -> bool:
        return 1 <= len(plan) <= 200 and all(
            minor(draft.amount, currency) is not None and draft.title.strip() and draft.purpose.strip()
            for draft in plan
        )

    def _out_of_sequence(self, command: c.Command) -> str | None:
        if isinstance(command, c.Fund):
            waiting = [piece for piece in self.pieces if piece.state == "PLANNED"]
            before = self.pieces[: self._index(command.milestone_id)]
            if waiting[0].id != command.milestone_id or any(p.state in ("FUNDING", "FUNDED") for p in before):
                return "OUT_OF_SEQUENCE"
        if isinstance(command, (c.AddMilestone, c.MoveMilestone)):
            moved = command.milestone_id if isinstance(command, c.MoveMilestone) else None
            others = [piece for piece in self.pieces if piece.id != moved]
            position = command.position if command.position is not None else len(others) + 1
            behind = others[position - 1 :]
            if any(piece.state in OPEN_AND_LOCKED for piece in behind):
                return "OUT_OF_SEQUENCE"
        return None

    def _refusal_of_proposal(self, command: c.Propose, actor: Actor, around: Surroundings) -> str | None:
        if actor.kind is not ActorKind.ACCOUNT or actor.account_id not in (command.client_id, command.freelancer_id):
            return "FORBIDDEN"
        own, other = around.client, around.freelancer
        if actor.account_id != command.client_id:
            own, other = other, own
        weak = actor.role in (Role.VIEWER, Role.MEMBER) or Scope.CONTRACTS_WRITE not in actor.scopes
        if weak or (own is not None and own.disabled) or actor.contract_ids is not None:
            return "FORBIDDEN"
        if own is None or other is None:
            return "NOT_FOUND"
        if other.disabled:
            return "INVALID_STATE"
        if command.client_id == command.freelancer_id or around.share_member:
            return "SAME_PARTY"
        currency = command.terms.currency or ""
        good = currency in DECIMALS and bool((command.terms.title or "").strip())
        good = good and self._good_terms(command.terms, currency) and self._good_plan(command.plan, currency)
        return None if good else "INVALID_INPUT"

    def _refusal_of_report(self, command: c.Report, actor: Actor) -> str | None:
        if not self.state:
            return "NOT_FOUND"
        if actor.kind is not ActorKind.PROVIDER:
            return "FORBIDDEN"
        if isinstance(command, (c.ConfirmOrder, c.FailOrder)):
            return None if command.order_id in self.sendings else "NOT_FOUND"
        if command.deposit_id not in self.charges:
            return "NOT_FOUND"
        nothing = isinstance(command, c.ConfirmDeposit) and command.amount.minor <= 0
        return "INVALID_INPUT" if nothing else None

    # -- what happens ---------------------------------------------------------------------------------------------

    def _carry_out(self, command: c.Command, actor: Actor, around: Surroundings) -> None:
        match command:
            case c.Propose():
                self.contract_id, self.state = command.contract_id, "PROPOSED"
                self.client, self.freelancer = command.client_id, command.freelancer_id
                self.currency = command.terms.currency or ""
                self.windows = {name: default for name, (default, _, _) in WINDOWS.items()}
                self._offer(command.terms, command.plan, actor, around)
            case c.Revise():
                self._drop_plan()
                self._offer(command.terms, command.plan, actor, around)
            case c.Accept():
                self.state = "ACTIVE"
            case c.Decline():
                self._die("DECLINED")
            case c.Withdraw():
                self._die("WITHDRAWN")
            case c.Fund():
                self._start_charge(command, around)
            case c.CancelFunding():
                self._give_up(self._piece(command.milestone_id).deposit or "", "ABANDONED")
            case c.Submit():
                piece = self._piece(command.milestone_id)
                piece.state = "SUBMITTED"
                piece.review_due = around.now + timedelta(hours=self.windows["review_hours"])
            case c.Approve():
                if self._piece(command.milestone_id).state != "RELEASED":
                    self._release(self._piece(command.milestone_id))
            case c.RequestChanges():
                piece = self._piece(command.milestone_id)
                piece.state, piece.review_due = "CHANGES_REQUESTED", None
            case c.RequestPayout():
                self._start_payout(command)
            case c.AddMilestone() | c.EditMilestone() | c.MoveMilestone() | c.RemoveMilestone():
                self._edit_plan(command)
            case c.ConfirmDeposit():
                self._confirm(self.charges[command.deposit_id], command.amount)
            case c.FailDeposit():
                if self.charges[command.deposit_id].state == "STARTED":
                    self._give_up(command.deposit_id, "FAILED")
            case c.ConfirmOrder():
                self._sent(self.sendings[command.order_id])
            case c.FailOrder():
                self._not_sent(self.sendings[command.order_id])

    def _offer(self, terms: c.Terms, plan: tuple[c.MilestoneDraft, ...], actor: Actor, around: Surroundings) -> None:
        self.revision += 1
        self.plan_version += 1
        self.author = Side.CLIENT if actor.account_id == self.client else Side.FREELANCER
        self.offered = around.now
        self.windows |= terms.windows
        self.client_bps, self.freelancer_bps = around.fees.client_bps, around.fees.freelancer_bps
        self.pieces = [Piece(draft.id, minor(draft.amount, self.currency) or 0) for draft in plan]

    def _drop_plan(self) -> None:
        for piece in self.pieces:
            piece.state = "CANCELLED"
            self.former[piece.id] = piece
        self.pieces = []

    def _die(self, state: str) -> None:
        self.state = state
        for piece in self.pieces:
            piece.state = "CANCELLED"

    def _start_charge(self, command: c.Fund, around: Surroundings) -> None:
        piece = self._piece(command.milestone_id)
        fee = piece.amount * self.client_bps // 10_000
        due = around.now + timedelta(hours=self.windows["deposit_hours"])
        self.charges[command.deposit_id] = Charge(command.deposit_id, piece.id, piece.amount, fee, due)
        piece.state, piece.deposit = "FUNDING", command.deposit_id

    def _give_up(self, deposit_id: str, state: str) -> None:
        charge = self.charges[deposit_id]
        charge.state = state
        piece = self._piece(charge.piece)
        piece.state, piece.deposit = "PLANNED", None

    def _confirm(self, charge: Charge, amount: Money) -> None:
        right = amount == Money(charge.amount + charge.fee, self.currency)
        if charge.state == "STARTED" and right:
            charge.state = "CONFIRMED"
            piece = self._piece(charge.piece)
            piece.state, piece.held, piece.fee = "FUNDED", charge.amount, charge.fee
            self._book("clearing", f"escrow:{piece.id}", charge.amount)
            self._book("clearing", f"fee:{piece.id}", charge.fee)
            return
        if (charge.state == "CONFIRMED" and right) or amount in charge.returned:
            return
        if charge.state == "STARTED":
            self._give_up(charge.id, "FAILED")
        charge.returned.append(amount)
        self.unnamed.append(Sending("REFUND", amount))
        self._book("clearing", self._payable(Side.CLIENT), amount.minor, amount.currency)
        self._book(self._payable(Side.CLIENT), self._transit, amount.minor, amount.currency)

    def _release(self, piece: Piece) -> None:
        cut = piece.held * self.freelancer_bps // 10_000
        self._book(f"escrow:{piece.id}", self._payable(Side.FREELANCER), piece.held - cut)
        self._book(f"escrow:{piece.id}", "fees", cut)
        self._book(f"fee:{piece.id}", "fees", piece.fee)
        piece.state, piece.held, piece.fee, piece.review_due = "RELEASED", 0, 0, None

    def _start_payout(self, command: c.RequestPayout) -> None:
        payable = self.books[self._payable(Side.FREELANCER), self.currency]
        asked = payable if command.amount is None else minor(command.amount, self.currency) or 0
        self.sendings[command.order_id] = Sending("PAYOUT", Money(asked, self.currency))
        self._book(self._payable(Side.FREELANCER), self._transit, asked)

    def _sent(self, sending: Sending) -> None:
        amount = sending.amount
        if sending.state == "STARTED":
            self._book(self._transit, "clearing", amount.minor, amount.currency)
        elif sending.state == "FAILED":
            payable = self._payable(Side.CLIENT if sending.kind == "REFUND" else Side.FREELANCER)
            covered = min(amount.minor, self.books[payable, amount.currency])
            self._book(payable, "clearing", covered, amount.currency)
            self._book("chargeback", "clearing", amount.minor - covered, amount.currency)
        sending.state = "PAID"

    def _not_sent(self, sending: Sending) -> None:
        if sending.state == "STARTED":
            payable = self._payable(Side.CLIENT if sending.kind == "REFUND" else Side.FREELANCER)
            self._book(self._transit, payable, sending.amount.minor, sending.amount.currency)
            sending.state = "FAILED"

    def _edit_plan(self, command: c.AddMilestone | c.EditMilestone | c.MoveMilestone | c.RemoveMilestone) -> None:
        self.plan_version += 1
        if isinstance(command, c.AddMilestone):
            at = len(self.pieces) if command.position is None else command.position - 1
            draft = command.milestone
            self.pieces.insert(at, Piece(draft.id, minor(draft.amount, self.currency) or 0))
            return
        piece = self._piece(command.milestone_id)
        if isinstance(command, c.EditMilestone) and command.amount is not None:
            piece.amount = minor(command.amount, self.currency) or 0
        if isinstance(command, c.RemoveMilestone):
            piece.state = "CANCELLED"
        if isinstance(command, c.MoveMilestone):
            self.pieces.remove(piece)
            self.pieces.insert(command.position - 1, piece)

    def _settle(self) -> None:
        """Completion, and whose turn it is: looked at after everything that happens."""
        if self.state != "ACTIVE":
            return
        unfinished = [piece for piece in self.pieces if piece.state not in CLOSED]
        if unfinished and unfinished[0].state == "FUNDED":
            unfinished[0].state = "ACTIVE"
        if not unfinished and any(piece.state == "RELEASED" for piece in self.pieces):
            self.state = "COMPLETED"

    # -- small things ---------------------------------------------------------------------------------------------

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


def minor(raw: RawMoney, currency: str) -> int | None:
    """The amount in minor units, or ``None`` where the law refuses it."""
    if raw.currency != currency or currency not in DECIMALS or not raw.amount.is_finite():
        return None
    exponent = raw.amount.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > DECIMALS[currency]:
        return None
    if raw.amount <= 0 or raw.amount > Decimal(LARGEST):
        return None
    units = int(raw.amount * 10 ** DECIMALS[currency])
    return units if units <= LARGEST else None
