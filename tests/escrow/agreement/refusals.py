"""The refusals of the law in its own order, told a second time: see `model.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from zoneinfo import available_timezones

from escrow.access import Actor, ActorKind, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Surroundings
from escrow.money import RawMoney
from tests.escrow.agreement.facts import CLOSED, DECIMALS, HOLDING, WINDOWS, Piece, minor
from tests.escrow.agreement.petitions import ORDER, Petitions
from tests.escrow.agreement.quarrels import Quarrels

RANKS: Final = [Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.OWNER]
BY_THE_CLIENT: Final = (
    c.AddMilestone, c.EditMilestone, c.MoveMilestone, c.RemoveMilestone, c.ImportMilestones, c.Fund, c.FundContract,
    c.CancelFunding, c.Approve,
    c.RequestChanges, c.RequestRefund, c.WithdrawRefund, c.WithdrawEnd,
)  # fmt: skip
BY_THE_FREELANCER: Final = (c.Submit, c.RequestPayout, c.SetPayouts, c.AcceptRefund, c.DeclineRefund, c.GiveRefund)
MOVES_MONEY: Final = (
    c.Fund, c.FundContract, c.CancelFunding, c.Approve, c.RequestPayout, c.SetPayouts, c.End, c.WithdrawEnd, c.AcceptRefund,
    c.GiveRefund, c.AcceptClaim, c.AcceptSettlement,
)  # fmt: skip
FOR_MEMBERS: Final = (c.Submit, c.PostUpdate, c.AddEvidence)
NEEDS_ENABLED: Final = (c.Propose, c.Revise, c.Accept, c.Fund, c.FundContract)
EDITS: Final = (c.EditMilestone, c.MoveMilestone, c.RemoveMilestone)
ON_A_MILESTONE: Final = (
    *EDITS, c.Fund, c.CancelFunding, c.Submit, c.Approve, c.RequestChanges, c.RequestRefund, c.GiveRefund, c.OpenDispute,
)  # fmt: skip
ON_A_WISH: Final = (c.WithdrawRefund, c.AcceptRefund, c.DeclineRefund)
ON_A_QUARREL: Final = (
    c.AddEvidence, c.AcceptClaim, c.RejectClaim, c.OfferSettlement, c.WithdrawSettlement, c.AcceptSettlement,
    c.WithdrawDispute, c.DecideDispute,
)  # fmt: skip
ON_A_PETITION: Final = (c.AcceptChangeRequest, c.DeclineChangeRequest, c.WithdrawChangeRequest)
ON_PROPOSALS: Final = (c.Revise, c.Accept, c.Decline, c.Withdraw)
ON_EITHER: Final = (c.Fund, c.FundContract, c.CancelFunding, c.PostUpdate)
ON_ANY: Final = (c.RequestPayout, c.SetPayouts, c.ResolveReversal, c.ResolveOrder)
MOVES_ESCROW: Final = (c.Approve, c.GiveRefund, c.AcceptRefund, c.AcceptClaim, c.AcceptSettlement, c.DecideDispute)
ON_A_SENDING: Final = (c.ConfirmOrder, c.FailOrder, c.MarkStuck, c.OvertakeRefund)
REPORTS: Final = (
    c.ConfirmDeposit,
    c.FailDeposit,
    c.RequireAction,
    c.EndAction,
    c.ReverseDeposit,
    c.BookCost,
    *ON_A_SENDING,
)


class Refusals(Quarrels, Petitions):
    """Says of a command whether it is refused, and with which code."""

    def refusal(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        if isinstance(command, REPORTS):
            return self._refusal_of_report(command, actor)
        if isinstance(command, c.ApplyDeadlines):
            return None if self.state else "NOT_FOUND"
        if isinstance(command, c.Propose):
            return self._refusal_of_proposal(command, actor, around)
        return (
            self._unseen(actor, around)
            or self._not_by_the_table(command, actor, around)
            or self._version_moved(command, actor)
            or self._no_such_object(command)
            or self._wrong_contract_state(command, actor, around)
            or self._wrong_object_state(command, actor)
            or self._not_your_turn(command, actor)
            or self._same_party(command, around)
            or self._barred(command, actor, around)
            or self._held_too_long(command, around)
            or self._cannot_be_paid(command, around)
            or self._bad_input(command, actor, around)
            or self._never_taken(command, around)
            or self._out_of_sequence(command)
        )

    # -- who ------------------------------------------------------------------------------------------------------

    def _unseen(self, actor: Actor, around: Surroundings) -> str | None:
        if not self.state:
            return "NOT_FOUND"
        if actor.contract_ids is not None and self.contract_id not in actor.contract_ids:
            return "NOT_FOUND"
        if actor.kind is not ActorKind.ACCOUNT or actor.account_id in (self.client, self.freelancer):
            return None
        disputed = bool(self.settled_quarrels) or any(piece.quarrel for piece in self.pieces)
        return None if around.mediator is not None and disputed else "NOT_FOUND"

    def _not_by_the_table(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        if isinstance(command, c.DecideDispute):
            return self._not_a_judge(actor, around)
        if isinstance(command, (c.ResolveReversal, c.ResolveOrder)):
            may = (
                actor.kind is ActorKind.OPERATOR
                and Scope.OPERATOR in actor.scopes
                and actor.role.includes(Role.MANAGER)
            )
            return None if may else "FORBIDDEN"
        side = self._side(actor)
        if side is None or actor.kind is not ActorKind.ACCOUNT:
            return "FORBIDDEN"
        if isinstance(command, BY_THE_CLIENT) and side is not Side.CLIENT:
            return "FORBIDDEN"
        if isinstance(command, BY_THE_FREELANCER) and side is not Side.FREELANCER:
            return "FORBIDDEN"
        needed = Role.MEMBER if isinstance(command, FOR_MEMBERS) else Role.MANAGER
        if isinstance(command, (c.RequestPayout, c.SetPayouts)):
            needed = Role.OWNER
        if RANKS.index(actor.role) < RANKS.index(needed):
            return "FORBIDDEN"
        scope = Scope.MONEY_WRITE if isinstance(command, MOVES_MONEY) else Scope.CONTRACTS_WRITE
        if scope not in actor.scopes:
            return "FORBIDDEN"
        own = around.client if side is Side.CLIENT else around.freelancer
        if self._needs_enabled(command) and own is not None and own.disabled:
            return "FORBIDDEN"
        return None

    def _needs_enabled(self, command: c.Command) -> bool:
        return isinstance(command, NEEDS_ENABLED) or (isinstance(command, c.Approve) and command.bonus is not None)

    def _not_a_judge(self, actor: Actor, around: Surroundings) -> str | None:
        weak = actor.role in (Role.VIEWER, Role.MEMBER) or Scope.DISPUTES_DECIDE not in actor.scopes
        if actor.kind is ActorKind.OPERATOR:
            return "FORBIDDEN" if weak else None
        if actor.kind is not ActorKind.ACCOUNT or around.mediator is None or weak or around.mediator.disabled:
            return "FORBIDDEN"
        involved = self._side(actor) is not None or around.mediator.shares_member
        return "CONFLICT_OF_INTEREST" if involved else None

    # -- which version, which object ------------------------------------------------------------------------------

    def _version_moved(self, command: c.Command, actor: Actor) -> str | None:
        if isinstance(command, c.Accept) and command.revision != self.revision:
            return "VERSION_CONFLICT"
        if isinstance(command, (c.Fund, c.FundContract)) and command.revision not in (None, self.revision):
            return "VERSION_CONFLICT"
        if isinstance(command, c.End) and self._side(actor) is Side.FREELANCER and command.giving_up is not None:
            named = minor(command.giving_up, self.currency, least=0)
            if named is not None and named != self.held():
                return "VERSION_CONFLICT"
        expected = getattr(command, "expected_version", None)
        return "VERSION_CONFLICT" if expected not in (None, self.plan_version) else None

    def _no_such_object(self, command: c.Command) -> str | None:
        known = {piece.id for piece in self.pieces} | set(self.former)
        if isinstance(command, ON_A_MILESTONE):
            return None if command.milestone_id in known else "NOT_FOUND"
        if isinstance(command, c.PostUpdate):
            return None if command.milestone_id is None or command.milestone_id in known else "NOT_FOUND"
        if isinstance(command, c.FileChangeRequest):
            about = {change.milestone_id for change in command.changes if not isinstance(change, c.AddChange)}
            added = {change.milestone.id for change in command.changes if isinstance(change, c.AddChange)}
            return None if about <= known | added else "NOT_FOUND"
        if isinstance(command, ON_A_WISH):
            there = command.refund_id in self.answered_wishes or self.wished(command.refund_id) is not None
            return None if there else "NOT_FOUND"
        if isinstance(command, ON_A_QUARREL):
            there = command.dispute_id in self.settled_quarrels or self.argued(command.dispute_id) is not None
            return None if there else "NOT_FOUND"
        if isinstance(command, ON_A_PETITION):
            return None if command.change_request_id in self.petitions else "NOT_FOUND"
        if isinstance(command, c.ResolveReversal):
            return None if command.deposit_id in self.charges else "NOT_FOUND"
        if isinstance(command, c.ResolveOrder):
            return None if command.order_id in {*self.sendings, *self.charge_orders} else "NOT_FOUND"
        return None

    # -- states ---------------------------------------------------------------------------------------------------

    def _wrong_contract_state(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        late = isinstance(command, c.Approve) and self._piece(command.milestone_id).state == "RELEASED"
        wanted: tuple[str, ...] = ("ACTIVE",)
        if isinstance(command, ON_PROPOSALS):
            wanted = ("PROPOSED",)
        elif isinstance(command, ON_EITHER):
            wanted = ("PROPOSED", "ACTIVE")
        if not late and not isinstance(command, ON_ANY) and self.state not in wanted:
            return "INVALID_STATE"
        if self.ending and isinstance(command, (c.Fund, c.FundContract, c.AddMilestone, c.ImportMilestones)):
            return "INVALID_STATE"
        if self._needs_enabled(command):
            other = around.freelancer if self._side(actor) is Side.CLIENT else around.client
            if other is not None and other.disabled:
                return "INVALID_STATE"
        if isinstance(command, (c.Fund, c.FundContract)) and not around.disputes_can_be_decided:
            return "INVALID_STATE"
        if isinstance(command, c.End) and self._side(actor) is Side.CLIENT and self.ending:
            return "INVALID_STATE"
        if isinstance(command, c.WithdrawEnd) and (not self.ending or self.went_back):
            return "INVALID_STATE"
        return None

    def _wrong_object_state(self, command: c.Command, actor: Actor) -> str | None:
        if isinstance(command, ON_A_MILESTONE):
            return self._wrong_milestone_state(command, self._piece(command.milestone_id), actor)
        if isinstance(command, c.ImportMilestones):
            return self._a_row_is_locked(command)
        if isinstance(command, c.FundContract):
            states = [piece.state for piece in self.pieces]
            return None if "PLANNED" in states and "FUNDING" not in states else "INVALID_STATE"
        if isinstance(command, ON_A_WISH):
            return self._wrong_wish(command)
        if isinstance(command, ON_A_QUARREL):
            return self._wrong_quarrel(command, actor)
        if isinstance(command, ON_A_PETITION):
            return None if self.petitions[command.change_request_id].state == "OPEN" else "INVALID_STATE"
        if isinstance(command, c.ResolveReversal):
            undecided = self.charges[command.deposit_id].reversal in ("OPEN", "FORFEITED")
            return None if undecided else "INVALID_STATE"
        if isinstance(command, c.ResolveOrder):
            sending = self.sendings.get(command.order_id)
            return None if sending is not None and sending.stuck else "INVALID_STATE"
        return None

    def _wrong_milestone_state(self, command: c.Command, piece: Piece, actor: Actor) -> str | None:
        if isinstance(command, EDITS):
            return None if piece.state == "PLANNED" else "MILESTONE_LOCKED"
        if isinstance(command, c.Approve) and piece.state == "RELEASED":
            return None
        states: tuple[str, ...] = HOLDING
        if isinstance(command, c.Fund):
            states = ("PLANNED",)
        elif isinstance(command, c.CancelFunding):
            states = ("FUNDING",)
        elif isinstance(command, c.Submit):
            states = ("ACTIVE", "CHANGES_REQUESTED")
        elif isinstance(command, c.Approve):
            states = ("ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
        elif isinstance(command, c.RequestChanges):
            states = ("SUBMITTED",)
        elif isinstance(command, c.OpenDispute) and self._side(actor) is Side.FREELANCER and piece.wish is None:
            states = ("ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
        if piece.state not in states:
            return "OUT_OF_SEQUENCE" if piece.state == "FUNDED" else "INVALID_STATE"
        if isinstance(command, c.Fund):
            return "INVALID_STATE" if self.needs_all and not self.all_paid else None
        if piece.hold != "NONE" and not self._may_under_a_hold(command, piece, actor):
            return "INVALID_STATE"
        return "INVALID_STATE" if piece.frozen and isinstance(command, MOVES_ESCROW) else None

    def _may_under_a_hold(self, command: c.Command, piece: Piece, actor: Actor) -> bool:
        if isinstance(command, (c.Approve, c.GiveRefund)):
            return command.amount is None or minor(command.amount, self.currency) == piece.held
        answers = self._side(actor) is Side.FREELANCER and piece.wish is not None
        return isinstance(command, c.OpenDispute) and answers

    def _wrong_wish(self, command: c.Command) -> str | None:
        piece = self.wished(getattr(command, "refund_id"))  # noqa: B009 - the union has no common base
        if piece is None or piece.wish is None:
            return "INVALID_STATE"
        if isinstance(command, c.WithdrawRefund) and piece.wish.of_ending:
            return "INVALID_STATE"
        return "INVALID_STATE" if piece.frozen and isinstance(command, c.AcceptRefund) else None

    def _wrong_quarrel(self, command: c.Command, actor: Actor) -> str | None:
        piece = self.argued(getattr(command, "dispute_id"))  # noqa: B009
        if piece is None or piece.quarrel is None:
            return "INVALID_STATE"
        quarrel, side = piece.quarrel, self._side(actor)
        if isinstance(command, c.RejectClaim) and quarrel.state != "OPEN":
            return "INVALID_STATE"
        if isinstance(command, c.DecideDispute) and quarrel.state != "MEDIATION":
            return "INVALID_STATE"
        if piece.frozen and isinstance(command, MOVES_ESCROW):
            return "INVALID_STATE"
        if isinstance(command, c.WithdrawSettlement) and side not in quarrel.offers:
            return "INVALID_STATE"
        if isinstance(command, c.AcceptSettlement):
            assert side is not None
            if side.other not in quarrel.offers:
                return "INVALID_STATE"
            named = minor(command.to_freelancer, self.currency, least=0)
            if named is not None and named != quarrel.offers[side.other]:
                return "VERSION_CONFLICT"
        return None

    # -- turns, bars ----------------------------------------------------------------------------------------------

    def _not_your_turn(self, command: c.Command, actor: Actor) -> str | None:
        side = self._side(actor)
        own: bool | None = None
        if isinstance(command, (c.Revise, c.Accept, c.Decline)):
            own = side is not self.author
        elif isinstance(command, c.Withdraw):
            own = side is self.author
        elif isinstance(command, c.AcceptChangeRequest | c.DeclineChangeRequest):
            own = side is not self.petitions[command.change_request_id].author
        elif isinstance(command, c.WithdrawChangeRequest):
            own = side is self.petitions[command.change_request_id].author
        elif isinstance(command, (c.AcceptClaim, c.RejectClaim, c.WithdrawDispute)):
            piece = self.argued(command.dispute_id)
            assert piece is not None
            assert piece.quarrel is not None
            own = side is not piece.quarrel.opener
            if isinstance(command, c.WithdrawDispute):
                own = not own or piece.quarrel.state == "MEDIATION"
        return "FORBIDDEN" if own is False else None

    def _same_party(self, command: c.Command, around: Surroundings) -> str | None:
        return "SAME_PARTY" if isinstance(command, c.Accept) and around.share_member else None

    def _barred(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        side = self._side(actor)
        if side is None:
            return None
        pieces: list[Piece] = []
        if isinstance(command, c.RequestRefund):
            pieces = [self._piece(command.milestone_id)]
        elif isinstance(command, c.OpenDispute):
            pieces = [piece for piece in [self._piece(command.milestone_id)] if piece.wish is None]
        elif isinstance(command, c.End) and side is Side.CLIENT:
            pieces = [piece for piece in self.pieces if piece.held and piece.hold == "NONE"]
        barred = any(side in piece.bars and around.now < piece.bars[side] for piece in pieces)
        return "INVALID_STATE" if barred else None

    def _held_too_long(self, command: c.Command, around: Surroundings) -> str | None:
        if not isinstance(command, c.WithdrawDispute):
            return None
        piece = self.argued(command.dispute_id)
        assert piece is not None
        return "INVALID_STATE" if piece.limit is not None and piece.limit <= around.now else None

    def _cannot_be_paid(self, command: c.Command, around: Surroundings) -> str | None:
        """Where the provider takes payees on itself, nobody asks for a payout to whom it doesn't pay yet."""
        if not isinstance(command, c.RequestPayout) or not around.terms.needs_payees:
            return None
        return "INVALID_STATE" if around.freelancer is not None and not around.freelancer.can_be_paid else None

    # -- what is asked for ----------------------------------------------------------------------------------------

    def _bad_input(self, command: c.Command, actor: Actor, around: Surroundings) -> str | None:
        ok = True
        match command:
            case c.Revise():
                ok = self._good_terms(command.terms, self.currency) and self._good_plan(command.plan, self.currency)
                ok = ok and self._fits({**self.windows, **command.terms.windows}, around)
            case c.AddMilestone() | c.EditMilestone() | c.MoveMilestone():
                ok = not self._bad_edit(command)
            case c.ImportMilestones():
                ok = not self._bad_rows(command)
            case c.RequestChanges():
                ok = bool(command.note.strip())
            case c.PostUpdate():
                ok = bool(command.message.strip()) and self.updates < 1_000
            case c.Fund() | c.FundContract():
                ok = self._fits(self.windows, around) and (self.state == "ACTIVE" or command.revision is not None)
            case c.RequestPayout():
                return self._bad_payout(command)
            case c.FileChangeRequest():
                return self._bad_request_for_change(command, actor)
            case c.AcceptChangeRequest():
                changes = self.petitions[command.change_request_id].changes
                return "STALE_CHANGE_REQUEST" if self.twin()._misfits(changes) else None
            case c.End():
                if self._side(actor) is Side.CLIENT:
                    ok = command.giving_up is None
                else:
                    ok = command.giving_up is not None and minor(command.giving_up, self.currency, least=0) is not None
            case _:
                ok = self._good_disagreement(command, actor)
        return None if ok else "INVALID_INPUT"

    def _never_taken(self, command: c.Command, around: Surroundings) -> str | None:
        """A charge or a bonus that the provider takes in no case: its currency, too little, too much."""
        if isinstance(command, c.Fund):
            charge = self._price_of([self._piece(command.milestone_id)])
        elif isinstance(command, c.FundContract):
            charge = self._price_of([piece for piece in self.pieces if piece.state == "PLANNED"])
        elif isinstance(command, c.Approve) and command.bonus is not None:
            charge = minor(command.bonus, self.currency) or 0
        else:
            return None
        terms = around.terms
        known = terms.currencies is None or self.currency in terms.currencies
        limits = terms.limits_by_currency.get(self.currency, terms.usual_limits)
        return None if known and limits.minimum_minor <= charge <= limits.maximum_minor else "INVALID_INPUT"

    def _price_of(self, pieces: list[Piece]) -> int:
        """What a deposit for them costs the client."""
        return sum(piece.amount + piece.amount * self.client_bps // 10_000 for piece in pieces)

    def _good_disagreement(self, command: c.Command, actor: Actor) -> bool:
        match command:
            case c.Approve():
                piece = self._piece(command.milestone_id)
                good = command.bonus is None or minor(command.bonus, self.currency) is not None
                if piece.state == "RELEASED":
                    return good and (command.amount is None or minor(command.amount, self.currency) is not None)
                return good and self._part_of(piece, command.amount, least=1)
            case c.RequestRefund() | c.GiveRefund():
                return self._part_of(self._piece(command.milestone_id), command.amount, least=1)
            case c.OpenDispute():
                good = self._part_of(self._piece(command.milestone_id), command.claim, least=0)
                return good and bool(command.reason.strip())
            case c.DeclineRefund():
                wished = self.wished(command.refund_id)
                return bool(command.reason.strip()) and self._part_of(wished, command.claim, least=0)
            case c.AddEvidence():
                return self._good_evidence(command, actor)
            case c.OfferSettlement():
                return self._part_of(self.argued(command.dispute_id), command.to_freelancer, least=0)
            case c.DecideDispute():
                good = self._part_of(self.argued(command.dispute_id), command.to_freelancer, least=0)
                return good and bool(command.reason.strip())
            case c.AcceptSettlement():
                return minor(command.to_freelancer, self.currency, least=0) is not None
            case _:
                return True

    def _part_of(self, piece: Piece | None, amount: RawMoney | None, *, least: int) -> bool:
        if amount is None:
            return True
        assert piece is not None
        asked = minor(amount, self.currency, least=least)
        return asked is not None and asked <= piece.held

    def _good_evidence(self, command: c.AddEvidence, actor: Actor) -> bool:
        piece, side = self.argued(command.dispute_id), self._side(actor)
        assert piece is not None
        assert piece.quarrel is not None
        assert side is not None
        says = bool(command.text.strip() or command.links or command.attachments)
        return says and piece.quarrel.evidence[side] < 250

    def _bad_request_for_change(self, command: c.FileChangeRequest, actor: Actor) -> str | None:
        side = self._side(actor)
        assert side is not None
        wrong = [*self.twin()._misfits(command.changes), *self._bad_petition(command, side)]
        return min(wrong, key=ORDER.index) if wrong else None

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

    def _fits(self, windows: Mapping[str, int], around: Surroundings) -> bool:
        """Whether a review, an answer and mediation fit, one after the other, into the time that the provider may hold money."""
        answer = max(windows["refund_answer_hours"], windows["dispute_answer_hours"])
        hours = windows["review_hours"] + answer + windows["mediation_hours"]
        limit = around.terms.usual_hold_limit
        return limit is None or timedelta(hours=hours) <= limit

    def _good_plan(self, plan: tuple[c.MilestoneDraft, ...], currency: str) -> bool:
        return 1 <= len(plan) <= 200 and all(self._good_draft(draft, currency) for draft in plan)

    # -- last -----------------------------------------------------------------------------------------------------

    def _out_of_sequence(self, command: c.Command) -> str | None:
        if isinstance(command, c.Fund):
            waiting = [piece for piece in self.pieces if piece.state == "PLANNED"]
            before = self.pieces[: self._index(command.milestone_id)]
            if waiting[0].id != command.milestone_id or any(p.state in ("FUNDING", "FUNDED") for p in before):
                return "OUT_OF_SEQUENCE"
        if isinstance(command, (c.AddMilestone, c.MoveMilestone)) and self._misplaced(command):
            return "OUT_OF_SEQUENCE"
        if isinstance(command, c.Approve):
            return self._no_next(command)
        return None

    def _no_next(self, command: c.Approve) -> str | None:
        piece = self._piece(command.milestone_id)
        if piece.state == "RELEASED" or command.amount is None or minor(command.amount, self.currency) == piece.held:
            return None
        following = [one for one in self.pieces[self._index(piece.id) + 1 :] if one.state not in CLOSED]
        ready = following and following[0].state == "FUNDED" and following[0].hold == "NONE" and not following[0].frozen
        return None if ready else "NEXT_NOT_FUNDED"

    def _following(self, piece: Piece) -> Piece:
        return next(one for one in self.pieces[self._index(piece.id) + 1 :] if one.state not in CLOSED)

    # -- beginnings and reports -----------------------------------------------------------------------------------

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
        usual = {name: default for name, (default, _, _) in WINDOWS.items()}
        good = good and self._fits({**usual, **command.terms.windows}, around)
        return None if good else "INVALID_INPUT"

    def _refusal_of_report(self, command: c.Report, actor: Actor) -> str | None:
        if not self.state:
            return "NOT_FOUND"
        if actor.kind is not ActorKind.PROVIDER:
            return "FORBIDDEN"
        if isinstance(command, c.BookCost):
            return self._of_a_cost(command)
        if isinstance(command, ON_A_SENDING):
            known = "INVALID_INPUT" if command.order_id in self.charge_orders else "NOT_FOUND"
            unheard_of = isinstance(command, c.OvertakeRefund) and command.deposit_id not in self.charges
            return ("NOT_FOUND" if unheard_of else None) if command.order_id in self.sendings else known
        if getattr(command, "deposit_id", None) not in self.charges:
            return "NOT_FOUND"
        nothing = isinstance(command, c.ConfirmDeposit) and command.amount.minor <= 0
        return "INVALID_INPUT" if nothing else None

    def _of_a_cost(self, command: c.BookCost) -> str | None:
        sums = [one for one in (command.fee, command.given, command.got) if one is not None]
        is_exchange = command.given is not None and command.got is not None
        is_whole = is_exchange or (command.given is None and command.got is None)
        is_named = 1 <= len(command.movement) <= 255
        good = is_named and is_whole and all(0 < one.minor <= 10**18 for one in sums)
        if good and command.given is not None and command.got is not None:
            good = command.given.currency != command.got.currency
        return None if good else "INVALID_INPUT"
