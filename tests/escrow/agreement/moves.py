"""What may be asked of a contract in a random history: every command in its plain form, and with something odd about it.

`odd` says what is odd: 0 another currency, 1 a decimal too many, 2 nothing said, 3 another version, 4 the version named,
5 to 8 windows and terms, a part of what is held, or everything by name; 9 nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from escrow.access import Actor
from escrow.agreement import commands as c
from escrow.agreement.state import DepositTerm
from escrow.ids import Kind
from escrow.money import RawMoney
from escrow.states import OrderOutcome, ReversalOutcome
from tests.escrow.agreement.facts import DECIMALS
from tests.escrow.agreement.model import Model
from tests.escrow.agreement.stage import CLIENT, DUE_ON, FREELANCER, MEDIATOR, NOWHERE, OPERATOR, Story, named, party

ON_MILESTONES: Final = [
    "edit", "move", "remove", "fund", "cancel", "submit", "approve", "changes", "ask back", "give", "dispute", "bonus",
]  # fmt: skip
ON_CONTRACTS: Final = [
    "revise", "accept", "decline", "withdraw", "add", "payout", "end", "give up", "go on", "update", "fund all", "file",
    "pay by itself", "import",
]  # fmt: skip
ON_OBJECTS: Final = [
    "withdraw refund", "accept refund", "decline refund", "evidence", "accept claim", "reject claim", "offer", "withdraw offer",
    "accept offer", "withdraw dispute", "decide", "accept change", "decline change", "withdraw change", "resolve",
    "resolve order",
]  # fmt: skip
BY_THE_FREELANCER: Final = (
    "submit",
    "payout",
    "give",
    "give up",
    "accept refund",
    "decline refund",
    "file",
    "pay by itself",
    "import",
)

LAST_WORDS: Final = ("Decline", "Withdraw", "End", "GiveRefund", "Approve")
"""What soon leaves nothing to argue about: done less often than chance would."""


class Moves:
    """Builds commands on the contract of `story`, which `model` knows as well."""

    story: Story
    model: Model

    def raw(self, minor: int, odd: int = 9) -> RawMoney:
        """The amount as written; with an odd 0 in another currency, with a 1 with a decimal too many."""
        decimals = DECIMALS[self.story.currency]
        amount = Decimal(minor).scaleb(-decimals)
        if odd == 0:
            return RawMoney(amount, "EUR")
        return RawMoney(Decimal(minor * 10 + 1).scaleb(-decimals - 1) if odd == 1 else amount, self.story.currency)

    def share(self, held: int, minor: int, odd: int) -> RawMoney:
        """Some of what is held: nothing, a part, all of it, one too much, or any amount at all."""
        return self.raw({5: 0, 6: held // 2, 7: held, 8: held + 1, 9: held - held // 3}.get(odd, minor), odd)

    def plan(self, minors: list[int], odd: int = 9) -> tuple[c.MilestoneDraft, ...]:
        return tuple(
            c.MilestoneDraft(
                id=self.story.fresh(Kind.MILESTONE),
                title=" " if odd == 2 else "A page",
                purpose="It is read",
                amount=self.raw(minor, odd),
                due_on=DUE_ON,
            )
            for minor in minors
        )

    def usual(self, what: str) -> Actor:
        """The side that such a command is for."""
        if what in ("revise", "accept", "decline"):
            return self.story.whose_turn()
        if what == "withdraw":
            return party(self.story.state.written_by)
        if what in ("decide", "resolve", "resolve order"):
            return MEDIATOR if what == "decide" else OPERATOR
        return FREELANCER if what in BY_THE_FREELANCER else CLIENT

    def target(self, which: int) -> str:
        """A milestone of the plan, of an earlier revision (-1), or of nobody (-2)."""
        state = self.story.state
        if which == -2:
            return NOWHERE
        if which == -1 and state.former:
            return next(iter(state.former))
        return state.milestones[which % len(state.milestones)].id

    def held_by(self, milestone_id: str) -> int:
        milestone = self.story.state.milestone(milestone_id)
        return milestone.held_minor if milestone is not None else 0

    # -- on the contract ------------------------------------------------------------------------------------------

    def contract_command(self, what: str, minor: int, odd: int, place: int) -> c.Command:
        story = self.story
        version = story.state.plan_version + (1 if odd == 3 else 0) if odd in (3, 4) else None
        revision = story.state.revision + odd - 3 if odd in (3, 4) else None
        match what:
            case "revise":
                return self.revision(minor, odd, place, version)
            case "accept":
                return c.Accept(contract_id=story.id, revision=story.state.revision - (1 if odd == 3 else 0))
            case "decline":
                return c.Decline(contract_id=story.id)
            case "withdraw":
                return c.Withdraw(contract_id=story.id)
            case "add":
                (draft,) = self.plan([minor], odd)
                position = None if odd > 7 else place
                return c.AddMilestone(
                    contract_id=story.id, milestone=draft, position=position, expected_version=version
                )
            case "import":
                return self.import_of(minor, odd, place, version)
            case "end":
                return c.End(contract_id=story.id)
            case "give up":
                given_up = None if odd == 2 else self.raw(story.state.held_minor + (1 if odd == 3 else 0), odd)
                return c.End(contract_id=story.id, giving_up=given_up)
            case "go on":
                return c.WithdrawEnd(contract_id=story.id)
            case "update":
                about = self.target(place) if odd > 5 else None
                return c.PostUpdate(contract_id=story.id, message=" " if odd == 2 else "Half way", milestone_id=about)
            case "fund all":
                if story.state.state.value == "PROPOSED" and odd > 4:
                    revision = story.state.revision
                deposit_id, order_id = story.fresh(Kind.DEPOSIT), story.fresh(Kind.ORDER)
                return c.FundContract(contract_id=story.id, deposit_id=deposit_id, order_id=order_id, revision=revision)
            case "pay by itself":
                return c.SetPayouts(contract_id=story.id, automatic=odd > 2)
            case "file":
                return self.request_for_change(minor, odd, place, version)
            case _:
                amount = None if odd > 5 else self.raw(minor, odd)
                return c.RequestPayout(contract_id=story.id, order_id=story.fresh(Kind.ORDER), amount=amount)

    def import_of(self, minor: int, odd: int, place: int, version: int | None) -> c.ImportMilestones:
        story = self.story
        known = story.state.milestones[place % len(story.state.milestones)].id
        rows = (
            story.row("EA-1", known, amount=self.raw(minor, odd)),
            story.row("EA-2", amount=None if odd == 8 else self.raw(minor)),
        )
        return c.ImportMilestones(
            contract_id=story.id, system="jira", rows=rows[place % 3 :] or rows, expected_version=version
        )

    def revision(self, minor: int, odd: int, place: int, version: int | None) -> c.Revise:
        terms = c.Terms(
            windows={"review_hours": 47} if odd == 5 else {"offer_hours": 1} if odd == 6 else {},
            currency={0: "EUR", 7: self.story.currency}.get(odd),
            time_zone="Nowhere/At-All" if odd == 8 else None,
            deposit_term={3: DepositTerm.ALL, 4: DepositTerm.FIRST}.get(place),
        )
        plan = self.plan([] if odd == 4 else [minor] * (1 + place % 3), odd)
        return c.Revise(contract_id=self.story.id, terms=terms, plan=plan, expected_version=version)

    def request_for_change(self, minor: int, odd: int, place: int, version: int | None) -> c.FileChangeRequest:
        some, other = self.target(place), self.target(odd - 2)
        (draft,) = self.plan([minor], odd)
        changes: list[c.RequestedChange] = [
            c.AmendChange(milestone_id=some, deliverables=None if odd == 2 else ("Another page",)),
            c.EditChange(milestone_id=other, amount=self.raw(minor, odd)),
            c.AddChange(milestone=draft, position=None if odd > 7 else place),
            c.MoveChange(milestone_id=other, position=place),
            c.RemoveChange(milestone_id=other),
            c.EditChange(milestone_id=some, title="Another page"),
        ]
        first = (place + odd) % len(changes)
        return c.FileChangeRequest(
            contract_id=self.story.id,
            change_request_id=self.story.fresh(Kind.CHANGE_REQUEST),
            changes=tuple((changes * 2)[first : first + 1 + minor % 2]) if odd != 4 else (),
            message=" " if odd == 2 else "May we?",
            expected_version=version,
        )

    # -- on a milestone -------------------------------------------------------------------------------------------

    def milestone_command(self, what: str, which: int, minor: int, odd: int, place: int) -> c.Command:
        milestone_id, state = self.target(which), self.story.state
        version = state.plan_version + (1 if odd == 3 else 0) if odd in (3, 4) else None
        match what:
            case "edit":
                title = " " if odd == 2 else "Another page"
                return c.EditMilestone(
                    milestone_id=milestone_id, title=title, amount=self.raw(minor, odd), expected_version=version
                )
            case "move":
                return c.MoveMilestone(milestone_id=milestone_id, position=place, expected_version=version)
            case "remove":
                return c.RemoveMilestone(milestone_id=milestone_id, expected_version=version)
            case "fund":
                named_revision = state.revision + odd - 3 if odd in (3, 4) else None
                if state.state.value == "PROPOSED" and odd > 4:
                    named_revision = state.revision
                return c.Fund(
                    milestone_id=milestone_id,
                    deposit_id=self.story.fresh(Kind.DEPOSIT),
                    order_id=self.story.fresh(Kind.ORDER),
                    revision=named_revision,
                )
            case "cancel":
                return c.CancelFunding(milestone_id=milestone_id)
            case "submit":
                submission_id = self.story.fresh(Kind.SUBMISSION)
                return c.Submit(milestone_id=milestone_id, submission_id=submission_id, message="Done")
            case "approve" | "bonus":
                return self.approval(what, milestone_id, minor, odd)
            case "ask back" | "give" | "dispute":
                return self.disagreement(what, milestone_id, minor, odd)
            case _:
                return c.RequestChanges(milestone_id=milestone_id, note="" if odd == 2 else "Bluer")

    def approval(self, what: str, milestone_id: str, minor: int, odd: int) -> c.Approve:
        amount = None if odd == 9 else self.share(self.held_by(milestone_id), minor, odd)
        if what == "approve":
            return c.Approve(milestone_id=milestone_id, amount=amount)
        return c.Approve(
            milestone_id=milestone_id,
            amount=amount if odd in (5, 6, 7) else None,
            bonus=self.raw(minor, odd),
            bonus_deposit_id=self.story.fresh(Kind.DEPOSIT),
            bonus_order_id=self.story.fresh(Kind.ORDER),
        )

    def disagreement(self, what: str, milestone_id: str, minor: int, odd: int) -> c.Command:
        share = self.share(self.held_by(milestone_id), minor, odd)
        if what == "ask back":
            amount = None if odd in (3, 4) else share
            return c.RequestRefund(
                milestone_id=milestone_id, refund_id=self.story.fresh(Kind.REFUND_REQUEST), amount=amount
            )
        if what == "give":
            return c.GiveRefund(milestone_id=milestone_id, amount=None if odd in (3, 4) else share)
        return c.OpenDispute(
            milestone_id=milestone_id,
            dispute_id=self.story.fresh(Kind.DISPUTE),
            claim=share,
            reason=" " if odd == 2 else "It is not what we agreed on",
        )

    # -- on a refund request, a dispute, a change request, a reversal ---------------------------------------------

    def refund_id(self, which: int) -> str:
        known = list(self.story.state.refunds)
        return known[-1 - which % len(known)] if known and which >= 0 else named(Kind.REFUND_REQUEST, 7)

    def dispute_id(self, which: int) -> str:
        known = list(self.story.state.disputes)
        return known[-1 - which % len(known)] if known and which >= 0 else named(Kind.DISPUTE, 7)

    def change_request_id(self, which: int) -> str:
        known = list(self.story.state.change_requests)
        return known[-1 - which % len(known)] if known and which >= 0 else named(Kind.CHANGE_REQUEST, 7)

    def deposit_id(self, which: int) -> str:
        known = list(self.story.state.deposits)
        return known[-1 - which % len(known)] if known and which >= 0 else named(Kind.DEPOSIT, 7)

    def order_id(self, which: int) -> str:
        known = list(self.model.sendings)
        if which == 3 and self.story.state.orders:
            return next(iter(self.story.state.orders))
        return known[-1 - which % len(known)] if known and which >= 0 else named(Kind.ORDER, 7)

    def object_command(self, what: str, which: int, minor: int, odd: int) -> c.Command:
        said = " " if odd == 2 else "Because"
        match what:
            case "withdraw refund":
                return c.WithdrawRefund(refund_id=self.refund_id(which))
            case "accept refund":
                return c.AcceptRefund(refund_id=self.refund_id(which))
            case "decline refund":
                piece = self.model.wished(self.refund_id(which))
                claim = None if odd in (3, 4) else self.share(piece.held if piece else 0, minor, odd)
                return c.DeclineRefund(
                    refund_id=self.refund_id(which), dispute_id=self.story.fresh(Kind.DISPUTE), reason=said, claim=claim
                )
            case "accept change":
                version = self.story.state.plan_version + (1 if odd == 3 else 0) if odd in (3, 4) else None
                return c.AcceptChangeRequest(change_request_id=self.change_request_id(which), expected_version=version)
            case "decline change":
                return c.DeclineChangeRequest(change_request_id=self.change_request_id(which))
            case "withdraw change":
                return c.WithdrawChangeRequest(change_request_id=self.change_request_id(which))
            case "resolve":
                outcome = tuple(ReversalOutcome)[minor % 3]
                return c.ResolveReversal(deposit_id=self.deposit_id(which), outcome=outcome)
            case "resolve order":
                found = OrderOutcome.PAID if minor % 2 else OrderOutcome.NEVER_HAPPENED
                return c.ResolveOrder(order_id=self.order_id(which), outcome=found)
            case _:
                return self.argument(what, self.dispute_id(which), minor, odd, said)

    def argument(self, what: str, dispute_id: str, minor: int, odd: int, said: str) -> c.Command:
        piece = self.model.argued(dispute_id)
        share = self.share(piece.held if piece else 0, minor, odd)
        match what:
            case "evidence":
                return c.AddEvidence(dispute_id=dispute_id, text=said)
            case "accept claim":
                return c.AcceptClaim(dispute_id=dispute_id)
            case "reject claim":
                return c.RejectClaim(dispute_id=dispute_id)
            case "offer":
                return c.OfferSettlement(dispute_id=dispute_id, to_freelancer=share)
            case "withdraw offer":
                return c.WithdrawSettlement(dispute_id=dispute_id)
            case "accept offer":
                offers = list(piece.quarrel.offers.values()) if piece is not None and piece.quarrel is not None else []
                offered = self.raw(offers[minor % len(offers)], odd) if offers and odd != 3 else share
                return c.AcceptSettlement(dispute_id=dispute_id, to_freelancer=offered)
            case "withdraw dispute":
                return c.WithdrawDispute(dispute_id=dispute_id)
            case _:
                return c.DecideDispute(dispute_id=dispute_id, to_freelancer=share, reason=said)

    def plain_commands(self) -> list[c.Command]:
        """Every command as somebody would give it who wants it to succeed."""
        here = [self.contract_command(what, 10, 9, 1) for what in ON_CONTRACTS]
        for which, milestone in enumerate(self.story.state.milestones):
            if milestone.state.value not in ("RELEASED", "CANCELLED"):
                here += [self.milestone_command(what, which, 10, 9, which + 1) for what in ON_MILESTONES]
                here += [
                    self.milestone_command(what, which, 10, 6, which + 1) for what in ("approve", "ask back", "give")
                ]
        here += [self.request_for_change(10, 9, place, None) for place in range(6)]
        return here + [self.object_command(what, 0, 10, odd) for what in ON_OBJECTS for odd in (9, 7)]
