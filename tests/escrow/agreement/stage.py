"""The stage on which the tests play a contract: two accounts, a clock, fees, and shorthand for every command.

A `Story` holds one contract and everything that was recorded of it; it knows no rule.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from escrow import ids
from escrow.access import CLOCK, PROVIDER, AccountType, Actor, ActorKind, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.events import Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.postings import postings
from escrow.agreement.state import Contract, Dispute, Fees, Mediator, Milestone, Party, RefundRequest, Surroundings
from escrow.agreement.step import Step, step
from escrow.ids import Kind
from escrow.money import Money, RawMoney
from escrow.states import MilestoneState
from escrow.terms import Terms

START: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)
HOUR: Final = timedelta(hours=1)
DUE_ON: Final = date(2026, 3, 31)
EVERY_SCOPE: Final = frozenset(Scope)


def counted() -> Callable[[Kind], str]:
    """A supply of well-formed identifiers that is the same in every run."""
    numbers = itertools.count(1)
    return lambda kind: f"{kind.value}_{ids.encode(next(numbers))}"


def named(kind: Kind, number: int) -> str:
    """A fixed identifier, apart from the counted ones."""
    return f"{kind.value}_{ids.encode((1 << 100) + number)}"


CLIENT_ID: Final = named(Kind.ACCOUNT, 1)
FREELANCER_ID: Final = named(Kind.ACCOUNT, 2)
STRANGER_ID: Final = named(Kind.ACCOUNT, 3)
OPERATOR_ID: Final = named(Kind.ACCOUNT, 4)
MEDIATOR_ID: Final = named(Kind.ACCOUNT, 5)
NOWHERE: Final = named(Kind.MILESTONE, 99)


def account(account_id: str, *, role: Role = Role.OWNER, scopes: Iterable[Scope] = EVERY_SCOPE) -> Actor:
    """A key of an account, good for everything unless said otherwise."""
    return Actor(ActorKind.ACCOUNT, account_id, role=role, scopes=frozenset(scopes))


CLIENT: Final = account(CLIENT_ID)
FREELANCER: Final = account(FREELANCER_ID)
STRANGER: Final = account(STRANGER_ID)
MEDIATOR: Final = account(MEDIATOR_ID)
OPERATOR: Final = Actor(ActorKind.OPERATOR, OPERATOR_ID, scopes=EVERY_SCOPE)


def party(side: Side) -> Actor:
    return CLIENT if side is Side.CLIENT else FREELANCER


def usd(amount: str) -> RawMoney:
    return RawMoney(Decimal(amount), "USD")


@dataclass
class Story:
    """One contract from its proposal on. Commands come from the side that usually gives them, and are not asserted."""

    now: datetime = START
    fees: Fees = field(default_factory=lambda: Fees(client_bps=300, freelancer_bps=1000))
    client: Party | None = field(default_factory=lambda: Party(CLIENT_ID, AccountType.COMPANY))
    freelancer: Party | None = field(default_factory=lambda: Party(FREELANCER_ID, AccountType.INDIVIDUAL))
    share_member: bool = False
    disputes_can_be_decided: bool = True
    mediator: Mediator = field(default_factory=lambda: Mediator(MEDIATOR_ID))
    """What the world knows of the mediator, when that is who acts."""
    currency: str = "USD"
    terms: Terms = field(default_factory=Terms)
    """What the payment provider allows."""
    fresh: Callable[[Kind], str] = field(default_factory=counted)
    contract: Contract | None = None
    log: list[Recorded] = field(default_factory=list)
    last: Step | None = None

    # -- what is known --------------------------------------------------------------------------------------------

    @property
    def state(self) -> Contract:
        assert self.contract is not None, "nothing was proposed"
        return self.contract

    @property
    def id(self) -> str:
        return self.state.id

    def around(self, actor: Actor | None = None) -> Surroundings:
        """The world as it is for `actor`."""
        acts = actor is not None and actor.account_id == self.mediator.account_id
        return Surroundings(
            mediator=self.mediator if acts else None,
            now=self.now,
            fees=self.fees,
            client=self.client,
            freelancer=self.freelancer,
            share_member=self.share_member,
            disputes_can_be_decided=self.disputes_can_be_decided,
            terms=self.terms,
        )

    def milestone(self, position: int = 1) -> Milestone:
        return self.state.milestones[position - 1]

    def states(self) -> list[str]:
        return [milestone.state.value for milestone in self.state.milestones]

    def types(self) -> list[str]:
        """The types of all events so far."""
        return [recorded.event.type for recorded in self.log]

    def happened(self) -> list[str]:
        """The types of the events of the last step."""
        assert self.last is not None
        return [recorded.event.type for recorded in self.last.recorded]

    def code(self) -> str | None:
        """The code of the last step's refusal."""
        assert self.last is not None
        return None if self.last.refusal is None else self.last.refusal.code.value

    def books(self) -> Counter[tuple[str, str]]:
        """Every ledger account's credits less its debits, the platform's included, from the recorded events alone."""
        return books(self.id, self.log)

    def payable(self, side: Side) -> int:
        return self.books()[f"payable:{self.id}:{side.value.lower()}", self.currency]

    # -- what is done ---------------------------------------------------------------------------------------------

    def do(self, command: c.Command, actor: Actor) -> Step:
        done = step(self.contract, command, actor=actor, around=self.around(actor), fresh=self.fresh)
        self.last, self.contract = done, done.after
        self.log.extend(done.recorded)
        return done

    def wait(self, span: timedelta) -> Story:
        self.now += span
        return self

    def until(self, at: datetime) -> Story:
        self.now = at
        return self

    def draft(self, amount: str | RawMoney = "100.00", **given: object) -> c.MilestoneDraft:
        plain = c.MilestoneDraft(
            id=self.fresh(Kind.MILESTONE),
            title="A page",
            purpose="It is read",
            amount=amount if isinstance(amount, RawMoney) else RawMoney(Decimal(amount), self.currency),
            due_on=DUE_ON,
            deliverables=("The page",),
        )
        return replace(plain, **given)  # type: ignore[arg-type]

    def row(self, external_id: str, milestone_id: str | None = None, **given: object) -> c.ImportRow:
        """A row of an import: a whole new milestone, or what is given of one that is known."""
        if milestone_id is not None:
            return replace(c.ImportRow(milestone_id=milestone_id, external_id=external_id), **given)  # type: ignore[arg-type]
        draft = self.draft()
        whole = c.ImportRow(
            milestone_id=draft.id,
            external_id=external_id,
            title=draft.title,
            purpose=draft.purpose,
            amount=draft.amount,
            due_on=draft.due_on,
            deliverables=draft.deliverables,
        )
        return replace(whole, **given)  # type: ignore[arg-type]

    def import_(self, *rows: c.ImportRow, **given: object) -> Story:
        command = c.ImportMilestones(contract_id=self.id, system="jira", rows=rows)
        self.do(replace(command, **given), CLIENT)  # type: ignore[arg-type]
        return self

    def plan(self, *amounts: str) -> tuple[c.MilestoneDraft, ...]:
        return tuple(self.draft(amount) for amount in amounts)

    def propose(
        self, *amounts: str, by: Actor = FREELANCER, terms: c.Terms | None = None, windows: dict[str, int] | None = None
    ) -> Story:
        said = terms or c.Terms(title="A website", description="Of five pages", currency=self.currency)
        said = said if windows is None else replace(said, windows=windows)
        command = c.Propose(
            contract_id=self.fresh(Kind.CONTRACT),
            client_id=CLIENT_ID,
            freelancer_id=FREELANCER_ID,
            terms=said,
            plan=self.plan(*(amounts or ("100.00", "50.00"))),
        )
        self.do(command, by)
        return self

    def revise(self, *amounts: str, by: Actor | None = None, terms: c.Terms | None = None) -> Story:
        plan = self.plan(*(amounts or ("90.00", "60.00")))
        self.do(c.Revise(contract_id=self.id, terms=terms or c.Terms(), plan=plan), by or self.whose_turn())
        return self

    def whose_turn(self) -> Actor:
        return party(self.state.turn)

    def accept(self, *, by: Actor | None = None, revision: int | None = None) -> Story:
        named_revision = self.state.revision if revision is None else revision
        self.do(c.Accept(contract_id=self.id, revision=named_revision), by or self.whose_turn())
        return self

    def decline(self) -> Story:
        self.do(c.Decline(contract_id=self.id), self.whose_turn())
        return self

    def withdraw(self) -> Story:
        self.do(c.Withdraw(contract_id=self.id), party(self.state.written_by))
        return self

    def add(self, amount: str = "20.00", *, position: int | None = None) -> Story:
        self.do(c.AddMilestone(contract_id=self.id, milestone=self.draft(amount), position=position), CLIENT)
        return self

    def edit(self, position: int = 1, **given: object) -> Story:
        command = replace(c.EditMilestone(milestone_id=self.milestone(position).id), **given)  # type: ignore[arg-type]
        self.do(command, CLIENT)
        return self

    def move(self, position: int, to: int) -> Story:
        self.do(c.MoveMilestone(milestone_id=self.milestone(position).id, position=to), CLIENT)
        return self

    def remove(self, position: int = 1) -> Story:
        self.do(c.RemoveMilestone(milestone_id=self.milestone(position).id), CLIENT)
        return self

    def fund(self, position: int = 1, *, token: str | None = None, revision: int | None = None) -> Story:
        self.do(self.funding(position, token=token, revision=revision), CLIENT)
        return self

    def funding(self, position: int = 1, *, token: str | None = None, revision: int | None = None) -> c.Fund:
        return c.Fund(
            milestone_id=self.milestone(position).id,
            deposit_id=self.fresh(Kind.DEPOSIT),
            order_id=self.fresh(Kind.ORDER),
            payment_token=token,
            revision=revision,
        )

    def deposit_id(self, position: int = 1) -> str:
        deposit_id = self.milestone(position).deposit_id
        assert deposit_id is not None, "no deposit is on its way"
        return deposit_id

    def confirm(self, position: int = 1, *, deposit_id: str | None = None, amount: Money | None = None) -> Story:
        deposit_id = deposit_id or self.deposit_id(position)
        amount = amount or self.state.money(self.state.deposits[deposit_id].charge_minor)
        self.do(c.ConfirmDeposit(contract_id=self.id, deposit_id=deposit_id, amount=amount), PROVIDER)
        return self

    def fail(self, position: int = 1, *, deposit_id: str | None = None) -> Story:
        deposit_id = deposit_id or self.deposit_id(position)
        self.do(c.FailDeposit(contract_id=self.id, deposit_id=deposit_id, reason="insufficient funds"), PROVIDER)
        return self

    def cancel_funding(self, position: int = 1) -> Story:
        self.do(c.CancelFunding(milestone_id=self.milestone(position).id), CLIENT)
        return self

    def pay(self, position: int = 1) -> Story:
        """Funds a milestone and lets the provider confirm it."""
        return self.fund(position).confirm(position)

    def submit(self, position: int = 1) -> Story:
        submission_id = self.fresh(Kind.SUBMISSION)
        milestone_id = self.milestone(position).id
        self.do(c.Submit(milestone_id=milestone_id, submission_id=submission_id, message="Here it is"), FREELANCER)
        return self

    def approve(self, position: int = 1) -> Story:
        self.do(c.Approve(milestone_id=self.milestone(position).id), CLIENT)
        return self

    def request_changes(self, position: int = 1) -> Story:
        self.do(c.RequestChanges(milestone_id=self.milestone(position).id, note="Bluer"), CLIENT)
        return self

    # -- disagreements --------------------------------------------------------------------------------------------

    def money(self, amount: str) -> RawMoney:
        return RawMoney(Decimal(amount), self.currency)

    def maybe(self, amount: str | None) -> RawMoney | None:
        return None if amount is None else self.money(amount)

    def refund(self, position: int = 1) -> RefundRequest:
        """The refund request that was made last on a milestone."""
        return [one for one in self.state.refunds.values() if one.milestone_id == self.milestone(position).id][-1]

    def dispute(self, position: int = 1) -> Dispute:
        """The dispute that was opened last on a milestone."""
        return [one for one in self.state.disputes.values() if one.milestone_id == self.milestone(position).id][-1]

    def request_refund(self, position: int = 1, amount: str | None = None) -> Story:
        refund_id, milestone_id = self.fresh(Kind.REFUND_REQUEST), self.milestone(position).id
        command = c.RequestRefund(milestone_id=milestone_id, refund_id=refund_id, amount=self.maybe(amount))
        self.do(command, CLIENT)
        return self

    def withdraw_refund(self, position: int = 1) -> Story:
        self.do(c.WithdrawRefund(refund_id=self.refund(position).id), CLIENT)
        return self

    def accept_refund(self, position: int = 1) -> Story:
        self.do(c.AcceptRefund(refund_id=self.refund(position).id), FREELANCER)
        return self

    def decline_refund(self, position: int = 1, *, claim: str | None = None) -> Story:
        command = c.DeclineRefund(
            refund_id=self.refund(position).id,
            dispute_id=self.fresh(Kind.DISPUTE),
            reason="It is done",
            claim=self.maybe(claim),
        )
        self.do(command, FREELANCER)
        return self

    def give_refund(self, position: int = 1, amount: str | None = None) -> Story:
        self.do(c.GiveRefund(milestone_id=self.milestone(position).id, amount=self.maybe(amount)), FREELANCER)
        return self

    def open_dispute(self, position: int = 1, *, claim: str = "0.00", by: Actor = CLIENT) -> Story:
        command = c.OpenDispute(
            milestone_id=self.milestone(position).id,
            dispute_id=self.fresh(Kind.DISPUTE),
            claim=self.money(claim),
            reason="It isn't what we agreed on",
        )
        self.do(command, by)
        return self

    def argue(self, position: int = 1, *, by: Actor = CLIENT) -> Story:
        self.do(c.AddEvidence(dispute_id=self.dispute(position).id, text="Look"), by)
        return self

    def accept_claim(self, position: int = 1, *, by: Actor = FREELANCER) -> Story:
        self.do(c.AcceptClaim(dispute_id=self.dispute(position).id), by)
        return self

    def reject_claim(self, position: int = 1, *, by: Actor = FREELANCER) -> Story:
        self.do(c.RejectClaim(dispute_id=self.dispute(position).id), by)
        return self

    def offer(self, amount: str, position: int = 1, *, by: Actor = CLIENT) -> Story:
        self.do(c.OfferSettlement(dispute_id=self.dispute(position).id, to_freelancer=self.money(amount)), by)
        return self

    def withdraw_offer(self, position: int = 1, *, by: Actor = CLIENT) -> Story:
        self.do(c.WithdrawSettlement(dispute_id=self.dispute(position).id), by)
        return self

    def accept_offer(self, amount: str, position: int = 1, *, by: Actor = FREELANCER) -> Story:
        self.do(c.AcceptSettlement(dispute_id=self.dispute(position).id, to_freelancer=self.money(amount)), by)
        return self

    def withdraw_dispute(self, position: int = 1, *, by: Actor = CLIENT) -> Story:
        self.do(c.WithdrawDispute(dispute_id=self.dispute(position).id), by)
        return self

    def decide(self, amount: str, position: int = 1, *, by: Actor = MEDIATOR) -> Story:
        command = c.DecideDispute(
            dispute_id=self.dispute(position).id, to_freelancer=self.money(amount), reason="Half of it works"
        )
        self.do(command, by)
        return self

    def end(self, *, by: Actor = CLIENT, giving_up: str | None = None) -> Story:
        self.do(c.End(contract_id=self.id, giving_up=self.maybe(giving_up)), by)
        return self

    def withdraw_end(self) -> Story:
        self.do(c.WithdrawEnd(contract_id=self.id), CLIENT)
        return self

    def payout(self, amount: str | None = None) -> Story:
        raw = None if amount is None else RawMoney(Decimal(amount), self.currency)
        order_id = self.fresh(Kind.ORDER)
        self.do(c.RequestPayout(contract_id=self.id, order_id=order_id, amount=raw), FREELANCER)
        return self

    def order_paid(self, order_id: str) -> Story:
        self.do(c.ConfirmOrder(contract_id=self.id, order_id=order_id), PROVIDER)
        return self

    def order_failed(self, order_id: str) -> Story:
        self.do(c.FailOrder(contract_id=self.id, order_id=order_id, reason="account closed"), PROVIDER)
        return self

    def sweep(self) -> Story:
        self.do(c.ApplyDeadlines(contract_id=self.id), CLOCK)
        return self


def active(*amounts: str, **stage: object) -> Story:
    """An accepted contract with nothing funded."""
    return Story(**stage).propose(*amounts).accept()  # type: ignore[arg-type]


def reaching(state: MilestoneState, *amounts: str) -> Story:
    """An active contract whose first milestone is in `state` (whose second one is, for `FUNDED`)."""
    story = active(*(amounts or ("100.00", "50.00")))
    match state:
        case MilestoneState.FUNDING:
            story.fund()
        case MilestoneState.FUNDED:
            story.pay(1).pay(2)
        case MilestoneState.ACTIVE:
            story.pay()
        case MilestoneState.SUBMITTED:
            story.pay().submit()
        case MilestoneState.CHANGES_REQUESTED:
            story.pay().submit().request_changes()
        case MilestoneState.RELEASED:
            story.pay().approve()
        case MilestoneState.CANCELLED:
            story.remove()
        case _:
            assert state is MilestoneState.PLANNED, f"no history leads to {state} yet"
    return story


def books(contract_id: str, log: Iterable[Recorded]) -> Counter[tuple[str, str]]:
    """Credits less debits of every account that the events of a log move money through."""
    booked: Counter[tuple[str, str]] = Counter()
    for recorded in log:
        for posting in postings(contract_id, recorded.event):
            booked[posting.debit, posting.amount.currency] -= posting.amount.minor
            booked[posting.credit, posting.amount.currency] += posting.amount.minor
    return booked


def folded(contract_id: str, log: Iterable[Recorded]) -> Contract:
    """The state that a log gives, from nothing."""
    state: Contract | None = None
    for recorded in log:
        state = evolve(state, contract_id, recorded)
    assert state is not None, "an empty log gives no contract"
    return state
