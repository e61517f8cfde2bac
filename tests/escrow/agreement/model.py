"""A second, plain telling of the law, apart from the rules that it judges. Where the law is silent it follows docs/decisions.

It says of each command whether it is refused and with which code, and what contract, milestones and books look like
afterwards. It shares the vocabulary with the core (states, commands, actors) and none of its rules.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.state import DepositTerm, Surroundings
from escrow.money import Money
from escrow.states import OrderOutcome
from tests.escrow.agreement.facts import (
    LIMIT_NOTICES,
    REMINDERS,
    SILENCE,
    WINDOWS,
    Charge,
    Clock,
    Petition,
    Piece,
    Sending,
    minor,
)
from tests.escrow.agreement.refusals import Refusals

Due = tuple[datetime, int, int, str]
"""When, the rank of its kind among ties, the milestone's position, and what it is about."""


class Model(Refusals):
    """One contract as the law sees it. `take` says what becomes of a command."""

    def take(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        """Applies what is due and then the command; gives the code of its refusal. Must be given a copy to try."""
        self.may_hold = around.terms.usual_hold_limit
        self.let_time_pass(around.now)
        self.moment = around.now
        code = self.refusal(command, actor, around)
        if code is None:
            self._carry_out(command, actor, around)
            self._settle()
        elif code == "STALE_CHANGE_REQUEST" and isinstance(command, c.AcceptChangeRequest):
            self.petitions[command.change_request_id].state = "STALE"
        return code

    # -- time -----------------------------------------------------------------------------------------------------

    def due(self) -> list[Due]:
        """What silence will do, in the order in which it does it."""
        clocks: list[Due] = []
        if self.state == "PROPOSED" and self.offered is not None:
            clocks.append((self.offered + self._window("offer"), 0, 0, self.contract_id))
        for charge in self.charges.values():
            if charge.state == "STARTED" and charge.clock.due is not None:
                place = 1 + min(self._index(piece_id) for piece_id, _, _ in charge.pieces)
                clocks.append((charge.clock.due, 1, place, charge.id))
        for position, piece in enumerate(self.pieces, 1):
            for rank, clock in piece.clocks:
                if clock.due is not None:
                    clocks.append((clock.due, rank, position, self._about(piece, rank)))
        return sorted(clocks)

    def _about(self, piece: Piece, rank: int) -> str:
        if rank == 3:
            assert piece.wish is not None
            return piece.wish.id or ""
        if rank in (4, 5):
            assert piece.quarrel is not None
            return piece.quarrel.id
        return piece.id

    def _announced_clocks(self, piece: Piece) -> list[Clock]:
        """The clocks of a milestone that are announced before they ring."""
        told = piece.quarrel is not None and piece.quarrel.told > 0
        found = [clock for rank, clock in piece.clocks if clock.due is not None and not (rank == 5 and told)]
        if piece.state == "FUNDING" and piece.deposit is not None:
            found.append(self.charges[piece.deposit].clock)
        return found

    def reminders(self) -> list[Due]:
        """What will be announced next of each milestone's windows: what a window is too short for never is."""
        found = []
        for position, piece in enumerate(self.pieces, 1):
            for clock in self._announced_clocks(piece):
                assert clock.due is not None
                told = {hours for piece_id, hours in clock.announced if piece_id == piece.id}
                times = [clock.due - timedelta(hours=hours) for hours in REMINDERS if hours not in told]
                found += [(at, 6, position, piece.id) for at in times if at > clock.began][:1]
        return found

    def silence(self) -> list[Due]:
        """When the operator is told that nothing moves."""
        held = any(piece.held for piece in self.pieces)
        if not held or self.told_of_silence or self.last is None or self.due():
            return []
        return [(self.last + SILENCE, 7, 0, self.contract_id)]

    def limits(self) -> list[Due]:
        """When what is held may be held no longer, and when that is told; what lies behind the last event isn't told any more."""
        found: list[Due] = []
        for position, piece in enumerate(self.pieces, 1):
            if piece.limit is not None and piece.limit_matters:
                found.append((piece.limit, 9, position, piece.id))
                times = [piece.limit - timedelta(hours=hours) for hours in LIMIT_NOTICES if hours not in piece.warned]
                found += [(at, 8, position, piece.id) for at in times if self.last is None or at >= self.last][:1]
        return found

    def clocks(self) -> list[Due]:
        """Everything that time will bring about, reminders and the operator's notice included."""
        return sorted([*self.due(), *self.reminders(), *self.silence(), *self.limits()])

    def seen(self) -> list[Due]:
        """What somebody waits for."""
        return sorted([*self.due(), *(one for one in self.limits() if one[1] == 9)])

    def _next(self, now: datetime) -> Due | None:
        """What is due first; a reminder no longer when the end of its window came, too."""
        for one in self.clocks():
            at, rank, _, subject = one
            if at > now:
                return None
            if rank == 8 and self._end_of(subject) <= now:
                continue
            if rank != 6 or self._reminding(subject, at, now) is not None:
                return one
        return None

    def _reminding(self, piece_id: str, at: datetime, now: datetime) -> tuple[Clock, int] | None:
        """The window that a reminder is about, if it lies ahead, and how many hours are left of it."""
        for clock in self._announced_clocks(self._piece(piece_id)):
            assert clock.due is not None
            for hours in REMINDERS:
                ahead = clock.due - timedelta(hours=hours) == at and now < clock.due
                if ahead and at > clock.began and (piece_id, hours) not in clock.announced:
                    return clock, hours
        return None

    def _end_of(self, piece_id: str) -> datetime:
        limit = self._piece(piece_id).limit
        assert limit is not None
        return limit

    def let_time_pass(self, now: datetime) -> None:
        while (happening := self._next(now)) is not None:
            at, rank, position, subject = happening
            self.moment = at
            self._ring(rank, position, subject, at, now)
            self.last, self.told_of_silence = at, rank == 7
            self._settle()

    def _ring(self, rank: int, position: int, subject: str, at: datetime, now: datetime) -> None:
        piece = self.pieces[position - 1] if position else Piece("", 0)
        if rank == 0:
            self._die("EXPIRED")
        elif rank == 1:
            self._give_up(subject, "FAILED" if self.charges[subject].action else "ABANDONED")
        elif rank == 2:
            self._close(piece, to_freelancer=piece.held)
        elif rank == 3:
            self._fulfil(piece, at, "UNANSWERED")
        elif rank == 4:
            self._nobody_answered(piece, at)
        elif rank == 5:
            self._tell_the_operator(piece)
        elif rank == 6:
            reminding = self._reminding(subject, at, now)
            assert reminding is not None
            clock, hours = reminding
            clock.announced.append((piece.id, hours))
        elif rank == 8:
            assert piece.limit is not None
            left = int((piece.limit - at).total_seconds()) // 3600
            piece.warned.update(hours for hours in LIMIT_NOTICES if hours >= left)
        elif rank == 9:
            self._hold_no_longer(at)

    # -- commands -------------------------------------------------------------------------------------------------

    def _carry_out(self, command: c.Command, actor: Actor, around: Surroundings) -> None:
        now, side = around.now, self._side(actor)
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
            case c.End():
                assert side is not None
                self._end(side, now)
            case c.WithdrawEnd():
                self._take_end_back(now)
            case c.PostUpdate():
                self.updates += 1
            case c.SetPayouts():
                self.was_paid = command.automatic and not self.pays_by_itself
                self.pays_by_itself = command.automatic
            case c.Fund():
                self._start_charge(command.deposit_id, [self._piece(command.milestone_id)], now)
                self.charge_orders.add(command.order_id)
            case c.FundContract():
                waiting = [piece for piece in self.pieces if piece.state == "PLANNED"]
                self._start_charge(command.deposit_id, waiting, now, everything=True)
                self.charge_orders.add(command.order_id)
            case c.CancelFunding():
                self._give_up(self._piece(command.milestone_id).deposit or "", "ABANDONED")
            case c.Submit():
                piece = self._piece(command.milestone_id)
                piece.state, piece.handed_in = "SUBMITTED", True
                piece.review = self._clock(piece, self._window("review"), now)
            case c.Approve():
                self._approve(command, now)
            case c.RequestChanges():
                piece = self._piece(command.milestone_id)
                piece.state, piece.review = "CHANGES_REQUESTED", None
            case c.RequestPayout():
                self._start_payout(command)
            case c.ImportMilestones():
                self._import(command)
            case c.AddMilestone() | c.EditMilestone() | c.MoveMilestone() | c.RemoveMilestone():
                self._edit_plan(command)
            case _:
                self._carry_out_more(command, side, now)

    def _carry_out_more(self, command: c.Command, side: Side | None, now: datetime) -> None:
        match command:
            case c.FileChangeRequest():
                assert side is not None
                self.petitions[command.change_request_id] = Petition(command.change_request_id, side, command.changes)
            case c.AcceptChangeRequest():
                petition = self.petitions[command.change_request_id]
                petition.state = "ACCEPTED"
                for change in petition.changes:
                    self._change(change)
            case c.DeclineChangeRequest():
                self.petitions[command.change_request_id].state = "DECLINED"
            case c.WithdrawChangeRequest():
                self.petitions[command.change_request_id].state = "WITHDRAWN"
            case c.ConfirmDeposit():
                self._confirm(self.charges[command.deposit_id], command.amount, now)
            case c.FailDeposit():
                if self.charges[command.deposit_id].state == "STARTED":
                    self._give_up(command.deposit_id, "FAILED")
            case c.RequireAction():
                self._payer_has_to_act(self.charges[command.deposit_id], command.kind, command.until, now)
            case c.EndAction():
                charge = self.charges[command.deposit_id]
                if charge.action is not None:
                    charge.action, charge.clock = None, Clock(now, self._window_of(charge))
            case c.ReverseDeposit():
                self._take_back(self.charges[command.deposit_id], command, now)
                self._proposals_go_back()
            case c.ResolveReversal():
                self._decided(self.charges[command.deposit_id], command.outcome, now)
                self._proposals_go_back()
            case c.BookCost():
                self._cost(command)
            case c.ConfirmOrder():
                self._sent(self.sendings[command.order_id])
            case c.FailOrder():
                self._not_sent(self.sendings[command.order_id])
            case c.OvertakeRefund():
                self._overtaken(self.sendings[command.order_id], self.charges[command.deposit_id])
            case c.MarkStuck():
                self.sendings[command.order_id].stuck = True
            case c.ResolveOrder():
                sending = self.sendings[command.order_id]
                if command.outcome is OrderOutcome.PAID:
                    self._sent(sending)
                else:
                    self._not_sent(sending)
            case _:
                self._disagree(command, side, now)

    def _disagree(self, command: c.Command, side: Side | None, now: datetime) -> None:
        match command:
            case c.RequestRefund():
                self._wish(command, now)
            case c.GiveRefund():
                piece = self._piece(command.milestone_id)
                amount = piece.held if command.amount is None else minor(command.amount, self.currency) or 0
                if amount == piece.held:
                    self._close(piece, to_freelancer=0)
                else:
                    self._give_part(piece, amount)
            case c.WithdrawRefund() | c.AcceptRefund() | c.DeclineRefund():
                wished = self.wished(command.refund_id)
                assert wished is not None
                if isinstance(command, c.WithdrawRefund):
                    self._take_wish_back(wished, now)
                elif isinstance(command, c.AcceptRefund):
                    self._fulfil(wished, now, "ACCEPTED")
                else:
                    claim = wished.held if command.claim is None else minor(command.claim, self.currency, least=0)
                    self._argue(wished, command.dispute_id, Side.FREELANCER, claim or 0, now)
            case c.OpenDispute():
                assert side is not None
                piece = self._piece(command.milestone_id)
                self._argue(piece, command.dispute_id, side, minor(command.claim, self.currency, least=0) or 0, now)
            case _:
                self._carry_on_arguing(command, side, now)

    def _carry_on_arguing(self, command: c.Command, side: Side | None, now: datetime) -> None:
        piece = self.argued(getattr(command, "dispute_id", ""))
        if piece is None:
            assert isinstance(command, c.ApplyDeadlines)
            return
        quarrel = piece.quarrel
        assert quarrel is not None
        match command:
            case c.DecideDispute():
                self._split(piece, minor(command.to_freelancer, self.currency, least=0) or 0)
            case c.AddEvidence() if side is not None:
                quarrel.evidence[side] += 1
            case c.AcceptClaim():
                self._split(piece, quarrel.claim)
            case c.RejectClaim():
                self._mediate(piece, now)
            case c.OfferSettlement() if side is not None:
                quarrel.offers[side] = minor(command.to_freelancer, self.currency, least=0) or 0
            case c.WithdrawSettlement() if side is not None:
                del quarrel.offers[side]
            case c.AcceptSettlement() if side is not None:
                self._split(piece, quarrel.offers[side.other])
            case c.WithdrawDispute() if side is not None:
                self._withdraw_dispute(piece, side, now)

    # -- the plan and its deposits --------------------------------------------------------------------------------

    def _offer(self, terms: c.Terms, plan: tuple[c.MilestoneDraft, ...], actor: Actor, around: Surroundings) -> None:
        self.revision += 1
        self.plan_version += 1
        self.author = Side.CLIENT if actor.account_id == self.client else Side.FREELANCER
        self.offered = around.now
        self.windows |= terms.windows
        if terms.deposit_term is not None:
            self.needs_all = terms.deposit_term is DepositTerm.ALL
        self.all_paid = False
        self.client_bps, self.freelancer_bps = around.fees.client_bps, around.fees.freelancer_bps
        self.pieces = [Piece(draft.id, minor(draft.amount, self.currency) or 0) for draft in plan]

    def _drop_plan(self) -> None:
        self._return_deposits()
        for piece in self.pieces:
            self.former[piece.id] = piece
        self.pieces = []

    def _die(self, state: str) -> None:
        self._return_deposits()
        self.state = state

    def _return_deposits(self) -> None:
        """A plan dies: what came for it goes back, what is on its way is given up."""
        self._give_up_deposits()
        for piece in self.pieces:
            if self._reversed_in(piece):
                self._lose(piece)
            elif piece.held:
                self._close(piece, to_freelancer=0)
            else:
                piece.state = "CANCELLED"

    def _proposals_go_back(self) -> None:
        """On a proposal a milestone whose money was lost can be funded again."""
        if self.state == "PROPOSED":
            for piece in self.pieces:
                if piece.state == "REFUNDED":
                    piece.state, piece.deposit = "PLANNED", None

    def _start_charge(self, deposit_id: str, pieces: list[Piece], now: datetime, *, everything: bool = False) -> None:
        parts = [(piece.id, piece.amount, piece.amount * self.client_bps // 10_000) for piece in pieces]
        clock = Clock(now, now + self._window("deposit"))
        self.charges[deposit_id] = Charge(deposit_id, parts, clock, self.revision, everything=everything, started=now)
        for piece in pieces:
            piece.state, piece.deposit = "FUNDING", deposit_id

    def _approve(self, command: c.Approve, now: datetime) -> None:
        piece = self._piece(command.milestone_id)
        if piece.state != "RELEASED":
            amount = piece.held if command.amount is None else minor(command.amount, self.currency) or 0
            if amount != piece.held:
                self._roll(piece, piece.held - amount, self._following(piece))
            self._close(piece, to_freelancer=piece.held)
        if command.bonus is not None and piece.bonus is None:
            deposit_id = command.bonus_deposit_id or ""
            self.charge_orders.add(command.bonus_order_id or "")
            parts = [(piece.id, minor(command.bonus, self.currency) or 0, 0)]
            clock = Clock(now, now + self._window("deposit"))
            self.charges[deposit_id] = Charge(deposit_id, parts, clock, self.revision, bonus=True, started=now)
            piece.bonus = deposit_id

    def _start_payout(self, command: c.RequestPayout) -> None:
        payable = self.books[self._payable(Side.FREELANCER), self.currency]
        asked = payable if command.amount is None else minor(command.amount, self.currency) or 0
        self.sendings[command.order_id] = Sending("PAYOUT", Money(asked, self.currency))
        self._book(self._payable(Side.FREELANCER), self._transit, asked)
