"""Refund requests, endings and disputes in the model: docs/law.md, section 3 and section 5, told a second time."""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.access import Side
from escrow.agreement import commands as c
from tests.escrow.agreement.facts import CLOSED, DAY, LIMIT_NOTICES, TWO_DAYS, Piece, Quarrel, Wish, minor
from tests.escrow.agreement.purse import Purse


class Quarrels(Purse):
    """Holds: how they begin, what they stop, and what comes when they end."""

    def _halt(self, piece: Piece, now: datetime) -> None:
        if piece.review is not None:
            piece.review.stop(now)

    def _let_go(self, piece: Piece, starter: Side, now: datetime, *, bar: bool = True) -> None:
        """A hold ends with money still held."""
        piece.wish = piece.quarrel = None
        if bar:
            piece.bars[starter] = now + TWO_DAYS
        if piece.review is not None and not piece.frozen:
            piece.review.go_on(now)
        if self.ending:
            self._ask_back(piece, now)

    # -- refund requests ------------------------------------------------------------------------------------------

    def _ask_back(self, piece: Piece, now: datetime) -> None:
        """What the ending asks of a milestone that has no hold."""
        self._halt(piece, now)
        piece.wish = Wish(None, piece.held, self._clock(piece, self._window("refund_answer"), now), of_ending=True)

    def _wish(self, command: c.RequestRefund, now: datetime) -> None:
        piece = self._piece(command.milestone_id)
        amount = piece.held if command.amount is None else minor(command.amount, self.currency) or 0
        self._halt(piece, now)
        piece.wish = Wish(command.refund_id, amount, self._clock(piece, self._window("refund_answer"), now))

    def _fulfil(self, piece: Piece, now: datetime, how: str) -> None:
        """A request is accepted, or nobody answered it."""
        wish = piece.wish
        assert wish is not None
        self.answered_wishes[wish.id or ""] = how
        if wish.amount == piece.held:
            self._close(piece, to_freelancer=0)
        else:
            piece.wish = None
            self._give_part(piece, wish.amount)
            self._let_go(piece, Side.CLIENT, now)

    def _give_part(self, piece: Piece, amount: int) -> None:
        self._give_back(piece, amount)
        piece.amount -= amount

    def _take_wish_back(self, piece: Piece, now: datetime) -> None:
        assert piece.wish is not None
        self.answered_wishes[piece.wish.id or ""] = "WITHDRAWN"
        self._let_go(piece, Side.CLIENT, now)

    # -- disputes -------------------------------------------------------------------------------------------------

    def _argue(self, piece: Piece, dispute_id: str, opener: Side, claim: int, now: datetime) -> None:
        """A dispute begins; under a refund request it answers that and begins in mediation."""
        if piece.wish is not None:
            self.answered_wishes[piece.wish.id or ""] = "DECLINED"
            piece.wish = None
            clock = self._clock(piece, self._window("mediation"), now)
            piece.quarrel = Quarrel(dispute_id, opener, claim, clock, state="MEDIATION")
            return
        self._halt(piece, now)
        span = self._window("dispute_answer")
        pays = opener is Side.CLIENT or piece.state == "SUBMITTED"
        if opener is Side.FREELANCER and piece.state == "SUBMITTED":
            assert piece.review is not None
            assert piece.review.left is not None
            span = max(span, piece.review.left)
        piece.quarrel = Quarrel(dispute_id, opener, claim, self._clock(piece, span, now), pays=pays)

    def _mediate(self, piece: Piece, now: datetime) -> None:
        assert piece.quarrel is not None
        piece.quarrel.state = "MEDIATION"
        piece.quarrel.clock = self._clock(piece, self._window("mediation"), now)

    def _nobody_answered(self, piece: Piece, now: datetime) -> None:
        assert piece.quarrel is not None
        if piece.quarrel.pays:
            self._split(piece, piece.quarrel.claim)
        else:
            self._mediate(piece, now)

    def _tell_the_operator(self, piece: Piece) -> None:
        assert piece.quarrel is not None
        clock = piece.quarrel.clock
        assert clock.due is not None
        clock.due += DAY
        piece.quarrel.told += 1

    def _split(self, piece: Piece, to_freelancer: int) -> None:
        self._close(piece, to_freelancer=to_freelancer)

    def _withdraw_dispute(self, piece: Piece, side: Side, now: datetime) -> None:
        quarrel = piece.quarrel
        assert quarrel is not None
        quarrel.gave_up.add(side)
        if quarrel.state == "OPEN" or quarrel.gave_up == set(Side):
            self.settled_quarrels[quarrel.id] = "WITHDRAWN"
            self._let_go(piece, quarrel.opener, now)

    # -- what may be held no longer -------------------------------------------------------------------------------

    def _hold_no_longer(self, now: datetime) -> None:
        """A mediator decides where somebody was asked; else the client has its money back, and may pay anew if it still can."""
        for place, piece in reversed(list(enumerate(self.pieces))):
            if piece.limit is None or not piece.limit_matters or piece.limit > now:
                continue
            if piece.hold != "NONE" or piece.handed_in:
                self._take_to_mediation(piece, now)
                continue
            behind = {one.state for one in self.pieces[place + 1 :]}
            self._close(piece, to_freelancer=0)
            if self.state == "PROPOSED" or behind <= {"PLANNED", *CLOSED}:
                piece.state, piece.deposit = "PLANNED", None

    def _take_to_mediation(self, piece: Piece, now: datetime) -> None:
        if piece.quarrel is None:
            if piece.wish is not None:
                self.answered_wishes[piece.wish.id or ""] = "OVERTAKEN"
                piece.wish = None
            self._halt(piece, now)
            clock = self._clock(piece, self._window("mediation"), now)
            piece.quarrel = Quarrel("", Side.FREELANCER, piece.held, clock, by_law=True)
        self._mediate(piece, now)

    # -- endings --------------------------------------------------------------------------------------------------

    def _give_up_deposits(self) -> None:
        for charge in self.charges.values():
            if charge.state == "STARTED" and not charge.bonus:
                self._give_up(charge.id, "ABANDONED")

    def _end(self, side: Side, now: datetime) -> None:
        self._give_up_deposits()
        if side is Side.CLIENT:
            self.ending, self.went_back = True, False
            for piece in self.pieces:
                if piece.held and piece.hold == "NONE":
                    self._ask_back(piece, now)
            return
        self.ending = True
        for piece in self.pieces:
            if self._reversed_in(piece):
                self._lose(piece)
            elif piece.held:
                self._close(piece, to_freelancer=0)

    def _take_end_back(self, now: datetime) -> None:
        self.ending = False
        for piece in self.pieces:
            if piece.wish is not None and piece.wish.of_ending:
                self._take_wish_back(piece, now)

    def _learn_of_limits(self) -> None:
        """Another limit is told anew: what lies behind already never is."""
        for piece in self.pieces:
            if piece.limit != piece.known_limit:
                piece.known_limit, piece.warned = piece.limit, set()
                if piece.limit is not None and self.moment is not None:
                    left = piece.limit - self.moment
                    piece.warned = {hours for hours in LIMIT_NOTICES if timedelta(hours=hours) >= left}

    # -- what follows from everything -----------------------------------------------------------------------------

    def _settle(self) -> None:
        """The end, completion, whose turn it is, and payouts: looked at after everything that happens."""
        self._pay_out_by_itself()
        self._learn_of_limits()
        if self.state != "ACTIVE":
            return
        unfinished = [piece for piece in self.pieces if piece.state not in CLOSED]
        if self.ending:
            if not any(piece.held for piece in self.pieces):
                for piece in unfinished:
                    piece.state = "CANCELLED"
                self.state = "ENDED"
        elif unfinished:
            first = unfinished[0]
            if first.state == "FUNDED" and first.hold == "NONE" and not first.frozen:
                first.state = "ACTIVE"
        elif any(piece.paid for piece in self.pieces):
            self.state = "COMPLETED"
        if self.state != "ACTIVE":
            for petition in self.petitions.values():
                petition.state = "STALE" if petition.state == "OPEN" else petition.state
