"""The refusals of the law in its own order, told a second time: see `model.py`."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from escrow.access import Actor, ActorKind, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Surroundings
from tests.escrow.agreement.facts import (
    DECIMALS,
    OPEN_AND_LOCKED,
    WINDOWS,
    Facts,
    minor,
)

RANKS: Final = [Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.OWNER]
BY_THE_CLIENT: Final = (
    c.AddMilestone, c.EditMilestone, c.MoveMilestone, c.RemoveMilestone, c.ImportMilestones, c.Fund, c.CancelFunding, c.Approve,
    c.RequestChanges,
)  # fmt: skip
BY_THE_FREELANCER: Final = (c.Submit, c.RequestPayout)
MOVES_MONEY: Final = (c.Fund, c.CancelFunding, c.Approve, c.RequestPayout)
NEEDS_ENABLED: Final = (c.Propose, c.Revise, c.Accept, c.Fund)
EDITS: Final = (c.EditMilestone, c.MoveMilestone, c.RemoveMilestone)
ON_A_MILESTONE: Final = (*EDITS, c.Fund, c.CancelFunding, c.Submit, c.Approve, c.RequestChanges)
REPORTS: Final = (c.ConfirmDeposit, c.FailDeposit, c.ConfirmOrder, c.FailOrder)


class Refusals(Facts):
    """Says of a command whether it is refused, and with which code."""

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
        if isinstance(command, (c.AddMilestone, c.ImportMilestones, *ON_A_MILESTONE)) and self.state != "ACTIVE":
            return "INVALID_STATE"
        if isinstance(command, NEEDS_ENABLED):
            other = around.freelancer if self._side(actor) is Side.CLIENT else around.client
            if other is not None and other.disabled:
                return "INVALID_STATE"
        if isinstance(command, c.Fund) and not around.disputes_can_be_decided:
            return "INVALID_STATE"
        if isinstance(command, c.ImportMilestones):
            return self._a_row_is_locked(command)
        return self._wrong_milestone_state(command) if isinstance(command, ON_A_MILESTONE) else None

    def _a_row_is_locked(self, command: c.ImportMilestones) -> str | None:
        """A row that gives a closed or funded milestone another price. Of a row the model knows no more than the price."""
        pieces = {piece.id: piece for piece in self.pieces}
        for row in command.rows:
            piece = pieces.get(row.milestone_id)
            if piece is None or piece.state == "PLANNED" or row.amount is None:
                continue
            if minor(row.amount, self.currency) != piece.amount:
                return "MILESTONE_LOCKED"
        return None

    def _wrong_milestone_state(self, command: c.Command) -> str | None:
        piece = self._piece(getattr(command, "milestone_id"))  # noqa: B009 - the union has no common base
        if isinstance(command, EDITS):
            return None if piece.state == "PLANNED" else "MILESTONE_LOCKED"
        if piece.state == "FUNDED":
            return "OUT_OF_SEQUENCE"
        if isinstance(command, c.Fund):
            fits = piece.state == "PLANNED"
        elif isinstance(command, c.CancelFunding):
            fits = piece.state == "FUNDING"
        elif isinstance(command, c.Submit):
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
        elif isinstance(command, c.ImportMilestones):
            known = {piece.id for piece in self.pieces}
            fresh = [row for row in command.rows if row.milestone_id not in known]
            ok = all(row.amount is None or minor(row.amount, self.currency) is not None for row in command.rows)
            ok = ok and all(row.amount is not None for row in fresh) and len(self.pieces) + len(fresh) <= 200
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
