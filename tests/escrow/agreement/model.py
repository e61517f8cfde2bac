"""A second, plain telling of the law, written from its text and not from the rules that it judges.

It says of each command whether it is refused and with which code, and what contract, milestones and books look like
afterwards. It shares the vocabulary with the core (states, commands, actors) and none of its rules.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Surroundings
from escrow.money import Money
from tests.escrow.agreement.facts import (
    CLOSED,
    REMINDERS,
    WINDOWS,
    Charge,
    Piece,
    Sending,
    minor,
)
from tests.escrow.agreement.refusals import Refusals


class Model(Refusals):
    """One contract as the law sees it. ``take`` says what becomes of a command."""

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

    def reminders(self) -> list[tuple[datetime, int, int, str]]:
        """What will be announced next of each milestone's window: what a window is too short for never is."""
        found = []
        for position, piece in enumerate(self.pieces, 1):
            if piece.window is not None:
                begins, ends = piece.window
                times = [ends - timedelta(hours=hours) for hours in REMINDERS if hours not in piece.announced]
                found += [(at, 3, position, piece.id) for at in times if at > begins][:1]
        return found

    def clocks(self) -> list[tuple[datetime, int, int, str]]:
        """Everything that time will bring about, reminders included."""
        return sorted([*self.due(), *self.reminders()])

    def _next(self, now: datetime) -> tuple[int, str] | None:
        """What is due first; a reminder no longer when the end of its window came, too."""
        for at, rank, _, subject in self.clocks():
            window = self._piece(subject).window if rank == 3 else None
            if at <= now and (window is None or now < window[1]):
                return rank, subject
        return None

    def let_time_pass(self, now: datetime) -> None:
        while (happening := self._next(now)) is not None:
            rank, subject = happening
            if rank == 3:
                piece = self._piece(subject)
                piece.announced.append(self._announced_next(piece))
            elif rank == 0:
                self._die("EXPIRED")
            elif rank == 1:
                self._give_up(subject, "ABANDONED")
            else:
                self._release(self._piece(subject))
            self._settle()

    def _announced_next(self, piece: Piece) -> int:
        assert piece.window is not None
        begins, ends = piece.window
        fitting = [hours for hours in REMINDERS if ends - timedelta(hours=hours) > begins]
        return next(hours for hours in fitting if hours not in piece.announced)

    def held(self) -> int:
        return sum(piece.held for piece in self.pieces)

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
                piece.window, piece.announced = (around.now, piece.review_due), []
            case c.Approve():
                if self._piece(command.milestone_id).state != "RELEASED":
                    self._release(self._piece(command.milestone_id))
            case c.RequestChanges():
                piece = self._piece(command.milestone_id)
                piece.state, piece.review_due, piece.window = "CHANGES_REQUESTED", None, None
            case c.RequestPayout():
                self._start_payout(command)
            case c.ImportMilestones():
                self._import(command)
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
        piece.window, piece.announced = (around.now, due), []

    def _give_up(self, deposit_id: str, state: str) -> None:
        charge = self.charges[deposit_id]
        charge.state = state
        piece = self._piece(charge.piece)
        piece.state, piece.deposit, piece.window = "PLANNED", None, None

    def _confirm(self, charge: Charge, amount: Money) -> None:
        right = amount == Money(charge.amount + charge.fee, self.currency)
        if charge.state == "STARTED" and right:
            charge.state = "CONFIRMED"
            piece = self._piece(charge.piece)
            piece.state, piece.held, piece.fee, piece.window = "FUNDED", charge.amount, charge.fee, None
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
        piece.state, piece.held, piece.fee, piece.review_due, piece.window = "RELEASED", 0, 0, None, None

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

    def _import(self, command: c.ImportMilestones) -> None:
        self.plan_version += max([self._imported(row) for row in command.rows])

    def _imported(self, row: c.ImportRow) -> bool:
        """Whether the row changed something; it is of no use to know more than prices."""
        piece = next((piece for piece in self.pieces if piece.id == row.milestone_id), None)
        price = minor(row.amount, self.currency) if row.amount is not None else None
        if piece is None:
            self.pieces.append(Piece(row.milestone_id, price or 0))
        elif price in (None, piece.amount):
            return False
        else:
            piece.amount = price
        return True

    def _settle(self) -> None:
        """Completion, and whose turn it is: looked at after everything that happens."""
        if self.state != "ACTIVE":
            return
        unfinished = [piece for piece in self.pieces if piece.state not in CLOSED]
        if unfinished and unfinished[0].state == "FUNDED":
            unfinished[0].state = "ACTIVE"
        if not unfinished and any(piece.state == "RELEASED" for piece in self.pieces):
            self.state = "COMPLETED"
