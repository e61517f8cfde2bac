"""How money comes, leaves and is taken back in the model: docs/law.md, section 6, told a second time."""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.access import Side
from escrow.agreement import commands as c
from escrow.money import Money
from escrow.states import ReversalOutcome
from tests.escrow.agreement.facts import TWO_DAYS, Charge, Chargeback, Clock, Facts, Piece, Sending


class Purse(Facts):
    """Moves money between the books of one contract."""

    def _window(self, name: str) -> timedelta:
        return timedelta(hours=self.windows[f"{name}_hours"])

    def _clock(self, piece: Piece, span: timedelta, now: datetime) -> Clock:
        """A window that begins; on a milestone that a reversal freezes it begins standing still."""
        clock = Clock(now, now + span)
        if piece.frozen:
            clock.stop(now)
        return clock

    # -- out of a milestone ---------------------------------------------------------------------------------------

    def _leave(self, piece: Piece, amount: int) -> tuple[int, dict[str, list[int]]]:
        """Takes `amount` out, and the difference of the fee; says how much that is and of which deposits both are."""
        stays = piece.held - amount
        fee = piece.fee - (-(-piece.base_fee * stays // piece.base) if piece.base else 0)
        piece.held, piece.fee = stays, piece.fee - fee
        taken: dict[str, list[int]] = {}
        rest = [amount, fee]
        for deposit, part in piece.parts.items():
            taken[deposit] = [min(part[0], rest[0]), min(part[1], rest[1])]
            for kind in (0, 1):
                part[kind] -= taken[deposit][kind]
                rest[kind] -= taken[deposit][kind]
        assert rest == [0, 0], "no more leaves than is held"
        piece.parts = {deposit: part for deposit, part in piece.parts.items() if any(part)}
        return fee, {deposit: part for deposit, part in taken.items() if any(part)}

    def _give_back(self, piece: Piece, amount: int) -> None:
        """A refund's leg: price and fee to the client, and an order for each deposit that they are of."""
        if not amount:
            return
        fee, taken = self._leave(piece, amount)
        self._book(f"escrow:{piece.id}", self._payable(Side.CLIENT), amount)
        self._book(f"fee:{piece.id}", self._payable(Side.CLIENT), fee)
        for deposit, (price, part_of_fee) in taken.items():
            self._send_back(price + part_of_fee, deposit)
        self.went_back = self.went_back or self.ending

    def _send_back(self, amount: int, deposit: str, currency: str | None = None) -> None:
        currency = currency or self.currency
        self.unnamed.append(Sending("REFUND", Money(amount, currency), deposit=deposit))
        self._book(self._payable(Side.CLIENT), self._transit, amount, currency)

    def _pay(self, piece: Piece, amount: int) -> None:
        """A release's leg: the price to the freelancer less the fee, the client's fee to the platform."""
        if not amount:
            return
        fee, _ = self._leave(piece, amount)
        cut = amount * self.freelancer_bps // 10_000
        self._book(f"escrow:{piece.id}", self._payable(Side.FREELANCER), amount - cut)
        self._book(f"escrow:{piece.id}", "fees", cut)
        self._book(f"fee:{piece.id}", "fees", fee)
        piece.paid += amount
        self.was_paid = True

    def _roll(self, piece: Piece, amount: int, on: Piece) -> None:
        """What a smaller approval leaves goes to the next milestone, whose price grows by it."""
        fee, taken = self._leave(piece, amount)
        self._book(f"escrow:{piece.id}", f"escrow:{on.id}", amount)
        self._book(f"fee:{piece.id}", f"fee:{on.id}", fee)
        for deposit, (price, part_of_fee) in on.parts.items():
            before = taken.setdefault(deposit, [0, 0])
            taken[deposit] = [before[0] + price, before[1] + part_of_fee]
        on.parts = taken
        on.limits |= piece.limits
        piece.amount -= amount
        on.amount, on.held, on.fee = on.amount + amount, on.held + amount, on.fee + fee
        on.base, on.base_fee = on.held, on.fee

    def _close(self, piece: Piece, *, to_freelancer: int) -> None:
        """Everything that is held leaves; the state says where it went. The refund's leg goes first."""
        held = piece.held
        self._give_back(piece, held - to_freelancer)
        self._pay(piece, to_freelancer)
        piece.state = "RELEASED" if to_freelancer == held else "SETTLED" if to_freelancer else "REFUNDED"
        self._forget(piece)

    def _forget(self, piece: Piece) -> None:
        if piece.wish is not None and piece.wish.id is not None:
            self.answered_wishes.setdefault(piece.wish.id, "OVERTAKEN")
        if piece.quarrel is not None and piece.quarrel.id:
            self.settled_quarrels.setdefault(piece.quarrel.id, "RESOLVED")
        piece.review = piece.wish = piece.quarrel = None
        piece.frozen = False

    # -- deposits -------------------------------------------------------------------------------------------------

    def _put_in(self, charge: Charge, now: datetime) -> None:
        if self.may_hold is not None and not charge.bonus:
            # Mediation has to fit in before the provider's own limit.
            charge.limit = max(now, now + self.may_hold - self._window("mediation"))
        for piece_id, price, fee in charge.pieces:
            if charge.bonus:
                self._book("clearing", self._payable(Side.FREELANCER), price)
                self.was_paid = True
                continue
            piece = self._piece(piece_id)
            piece.state, piece.held, piece.fee = "FUNDED", price, fee
            piece.base, piece.base_fee = price, fee
            piece.parts[charge.id] = [price, fee]
            if charge.limit is not None:
                piece.limits[charge.id] = charge.limit
            self._book("clearing", f"escrow:{piece.id}", price)
            self._book("clearing", f"fee:{piece.id}", fee)
        if charge.everything and not charge.bonus:
            self.all_paid = True

    def _confirm(self, charge: Charge, amount: Money, now: datetime) -> None:
        right = amount == Money(charge.sum, self.currency)
        if charge.state == "STARTED" and right:
            charge.state, charge.action = "CONFIRMED", None
            self._put_in(charge, now)
            return
        if (charge.state == "CONFIRMED" and right) or amount in charge.returned:
            return
        if charge.state == "STARTED":
            self._give_up(charge.id, "FAILED")
        charge.returned.append(amount)
        self._book("clearing", self._payable(Side.CLIENT), amount.minor, amount.currency)
        self._send_back(amount.minor, charge.id, amount.currency)

    def _window_of(self, charge: Charge) -> datetime:
        """When the deposit is given up if nobody says anything."""
        assert charge.started is not None
        return charge.started + self._window("deposit")

    def _payer_has_to_act(self, charge: Charge, kind: str, until: datetime | None, now: datetime) -> None:
        """The payer has until the provider gives up, and no longer than the window; it is told once."""
        if charge.state != "STARTED":
            return
        due = self._window_of(charge)
        if until is not None and until < due:
            due = max(until, now)
        if (charge.action, charge.clock.due) != (kind, due):
            charge.action, charge.clock = kind, Clock(now, due)

    def _give_up(self, deposit_id: str, state: str) -> None:
        charge = self.charges[deposit_id]
        charge.state, charge.action = state, None
        for piece_id, _, _ in charge.pieces:
            piece = self._piece(piece_id)
            if charge.bonus:
                piece.bonus = None
            else:
                piece.state, piece.deposit = "PLANNED", None

    # -- chargebacks ----------------------------------------------------------------------------------------------

    def _what_came(self, charge: Charge) -> Money | None:
        """What there is to take back: the charge if it was confirmed, else the first sum that came and went back."""
        if charge.state == "CONFIRMED":
            return Money(charge.sum, self.currency)
        return charge.returned[0] if charge.returned else None

    def _take_back(self, charge: Charge, said: c.ReverseDeposit, now: datetime) -> None:
        """The provider tells of a chargeback. Nothing that is told twice, or of money that never came, does anything."""
        came = self._what_came(charge)
        if came is None or said.amount.minor < 1 or (charge.state != "CONFIRMED" and said.amount != came):
            return
        sum_said = came.minor
        if said.amount.currency == came.currency and said.amount.minor < came.minor:
            sum_said = said.amount.minor
        one = self._chargeback(charge, said.reference)
        others = charge.out - (one.taken - one.back)
        more = min(sum_said, one.back + came.minor - others) - one.taken
        if more > 0:
            if one not in charge.chargebacks:
                charge.chargebacks.append(one)
            one.taken += more
            one.name = one.name or said.reference
            charge.evidence = said.evidence_due_at or charge.evidence
            self._book("chargeback", "clearing", more, came.currency)
            self._freeze(charge if one.end is None else None, now)
        if not one.taken:
            return
        before = (one.back, one.end)
        if said.outcome is ReversalOutcome.LOST:
            self._came_again(charge, one, one.taken - sum_said, came.currency)
            if one.end is None:
                one.end = "LOST"
                self._lost(charge)
        elif said.outcome is not None:
            self._came_again(charge, one, min(sum_said, one.taken), came.currency)
            if one.end in (None, "LOST"):
                one.end = said.outcome.value
                self._thaw(now)
        if (one.back, one.end) != before:
            # A name is known once something is told of it.
            one.name = one.name or said.reference

    def _chargeback(self, charge: Charge, name: str) -> Chargeback:
        """The one that is spoken of: by its name, the last one if nothing is named or if that has no name yet, or a new one."""
        known = [one for one in charge.chargebacks if one.name == name]
        if not known and charge.chargebacks and not (name and charge.chargebacks[-1].name):
            known = charge.chargebacks[-1:]
        return known[0] if known else Chargeback(name)

    def _freeze(self, charge: Charge | None, now: datetime) -> None:
        for piece in self.pieces:
            if charge is not None and charge.id in piece.parts and not piece.frozen:
                piece.frozen = True
                for _, clock in piece.clocks:
                    clock.stop(now)

    def _came_again(self, charge: Charge, one: Chargeback, in_all: int, currency: str) -> None:
        """Money is there again. The client keeps what the bank gave it and gets the rest of what milestones gave up from us."""
        if in_all <= one.back:
            return
        self._book("clearing", "chargeback", in_all - one.back, currency)
        one.back = in_all
        due = charge.forfeited - charge.out - charge.restored
        if due > 0:
            charge.restored += due
            self._book("chargeback", self._payable(Side.CLIENT), due, currency)
            self._send_back(due, charge.id, currency)

    def _decided(self, charge: Charge, outcome: ReversalOutcome, now: datetime) -> None:
        """The operator says how everything that goes on counts; no money comes or goes by that."""
        for one in charge.chargebacks:
            one.end = one.end or outcome.value
        if outcome is ReversalOutcome.LOST:
            self._lost(charge)
        else:
            self._thaw(now)

    def _thaw(self, now: datetime) -> None:
        for piece in self.pieces:
            if piece.frozen and not self._reversed_in(piece):
                piece.frozen = False
                for rank, clock in piece.clocks:
                    if rank != 2 or piece.hold == "NONE":
                        clock.go_on(now)
                if piece.limit_matters:
                    piece.limits = {deposit: max(end, now + TWO_DAYS) for deposit, end in piece.limits.items()}

    def _reversed_in(self, piece: Piece) -> list[str]:
        return [deposit for deposit in piece.parts if self.charges[deposit].reversal in ("OPEN", "LOST")]

    def _lost(self, charge: Charge) -> None:
        for piece in self.pieces:
            if charge.id in piece.parts:
                self._lose(piece)

    def _lose(self, piece: Piece) -> None:
        """Money under reversal goes to the chargeback account, as far as the provider has it; the rest to the client."""
        for deposit in self._reversed_in(piece):
            charge, part = self.charges[deposit], piece.parts[deposit]
            open_sum = self._not_given_up(charge)
            price = min(part[0], open_sum)
            fee = min(part[1], open_sum - price)
            piece.parts[deposit] = [part[0] - price, part[1] - fee]
            self._book(f"escrow:{piece.id}", "chargeback", price)
            self._book(f"fee:{piece.id}", "chargeback", fee)
            piece.held, piece.fee = piece.held - price, piece.fee - fee
            charge.forfeited += price + fee
        self._book(f"escrow:{piece.id}", self._payable(Side.CLIENT), piece.held)
        self._book(f"fee:{piece.id}", self._payable(Side.CLIENT), piece.fee)
        for deposit, (price, fee) in piece.parts.items():
            if price or fee:
                self._send_back(price + fee, deposit)
        # Escrow money went to the client; a fee by itself is none.
        if piece.held:
            self.went_back = self.went_back or self.ending
        piece.held = piece.fee = 0
        piece.parts = {}
        piece.state = "REFUNDED"
        self._forget(piece)

    def _not_given_up(self, charge: Charge) -> int:
        """What the bank has of a charge that nobody has given up yet."""
        return max(0, charge.out - (charge.forfeited - charge.restored))

    def _overtaken(self, sending: Sending, charge: Charge) -> None:
        """The client has a return's money from the bank, or a part of it; what the bank didn't take is sent back anew."""
        amount, came = sending.amount, self._what_came(charge)
        is_open = sending.state in ("STARTED", "FAILED") and not sending.stuck
        if not is_open or sending.deposit != charge.id or charge.reversal != "LOST" or came is None:
            return
        taken = min(self._not_given_up(charge), amount.minor) if came.currency == amount.currency else 0
        if not taken:
            return
        payable, rest = self._payable(Side.CLIENT), amount.minor - taken
        if sending.state == "STARTED":
            self._book(self._transit, payable, amount.minor, amount.currency)
        self._book(payable, "chargeback", taken, amount.currency)
        charge.forfeited += taken
        if rest:
            self._send_back(rest, charge.id, amount.currency)
        sending.state = "ABANDONED"

    def _pay_out_by_itself(self) -> None:
        payable = self.books[self._payable(Side.FREELANCER), self.currency]
        if self.pays_by_itself and self.was_paid and payable:
            self.unnamed.append(Sending("PAYOUT", Money(payable, self.currency)))
            self._book(self._payable(Side.FREELANCER), self._transit, payable)
        self.was_paid = False

    # -- what the provider takes for itself -----------------------------------------------------------------------

    def _cost(self, said: c.BookCost) -> None:
        """The fee of a movement, and what was changed by it, once; both are between the operator and the provider."""
        if said.movement in self.costs or not (said.fee or said.given):
            return
        self.costs.add(said.movement)
        if said.fee is not None:
            fee = -said.fee.minor if said.is_fee_returned else said.fee.minor
            self._book("provider_fees", "clearing", fee, said.fee.currency)
        if said.given is not None and said.got is not None:
            self._book("exchange", "clearing", said.given.minor, said.given.currency)
            self._book("clearing", "exchange", said.got.minor, said.got.currency)

    # -- sendings -------------------------------------------------------------------------------------------------

    def _sent(self, sending: Sending) -> None:
        amount = sending.amount
        if sending.state == "STARTED":
            self._book(self._transit, "clearing", amount.minor, amount.currency)
        elif sending.state == "FAILED":
            payable = self._payable(Side.CLIENT if sending.kind == "REFUND" else Side.FREELANCER)
            covered = min(amount.minor, self.books[payable, amount.currency])
            self._book(payable, "clearing", covered, amount.currency)
            self._book("chargeback", "clearing", amount.minor - covered, amount.currency)
        elif sending.state == "ABANDONED":
            self._book("chargeback", "clearing", amount.minor, amount.currency)
        sending.state, sending.stuck = "PAID", False

    def _not_sent(self, sending: Sending) -> None:
        """Payable again: it never left, or it came back after it had."""
        if sending.state == "ABANDONED":
            sending.stuck = False
            return
        if sending.state != "FAILED":
            payable = self._payable(Side.CLIENT if sending.kind == "REFUND" else Side.FREELANCER)
            source = self._transit if sending.state == "STARTED" else "clearing"
            self._book(source, payable, sending.amount.minor, sending.amount.currency)
        sending.state, sending.stuck = "FAILED", False
