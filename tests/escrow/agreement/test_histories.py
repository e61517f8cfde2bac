"""Random histories: every command by everybody, the provider in any order, the clock around every deadline.

After each step the core must agree with the model of the law, and every invariant must hold. ``HYPOTHESIS_PROFILE=deep``
plays many more.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from escrow.access import CLOCK, PROVIDER, Actor, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import CATALOGUE, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.permit import permit
from escrow.agreement.state import Contract, Fees
from escrow.agreement.step import Step, advance
from escrow.codec import decode, encode
from escrow.ids import Kind
from escrow.lifecycle import OrderKind
from escrow.money import Money, RawMoney
from tests.escrow.agreement import invariants
from tests.escrow.agreement.model import DECIMALS, WINDOWS, Model
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    DUE_ON,
    EVERY_SCOPE,
    FREELANCER,
    FREELANCER_ID,
    NOWHERE,
    OPERATOR,
    STRANGER,
    TICK,
    Story,
    account,
    counted,
    folded,
    named,
)

RANKS = {"OFFER": 0, "DEPOSIT": 1, "REVIEW": 2}
DEPENDS_ON_INPUT = {"VERSION_CONFLICT", "INVALID_INPUT", "OUT_OF_SEQUENCE", "INSUFFICIENT_FUNDS"}

CURRENCIES = st.sampled_from(["USD", "JPY", "BHD"])
POINTS = st.sampled_from([0, 1, 250, 333, 1000, 9999, 10_000])
MINORS = st.one_of(st.integers(1, 50), st.integers(1, 10**15), st.just(10**15))
BAD_MINORS = st.sampled_from([0, -1, 10**15 + 1])
INDEX = st.integers(0, 1_000)

ANYBODY = st.one_of(
    st.sampled_from([CLIENT, FREELANCER]),
    st.sampled_from([CLIENT, FREELANCER, STRANGER, OPERATOR, PROVIDER, CLOCK]),
    st.builds(
        account,
        st.sampled_from([CLIENT_ID, FREELANCER_ID]),
        role=st.sampled_from(list(Role)),
        scopes=st.sampled_from(
            [EVERY_SCOPE, frozenset({Scope.CONTRACTS_WRITE}), frozenset({Scope.MONEY_WRITE}), frozenset[Scope]()]
        ),
    ),
    st.sampled_from([CLIENT, FREELANCER]).map(
        lambda actor: replace(actor, contract_ids=frozenset({named(Kind.CONTRACT, 5)}))
    ),
)

ON_MILESTONES = ["edit", "move", "remove", "fund", "cancel", "submit", "approve", "changes"]
ON_CONTRACTS = ["revise", "accept", "decline", "withdraw", "add", "payout"]


class Histories(RuleBasedStateMachine):
    """One contract, played by the core and by the model side by side."""

    known_ways_out: ClassVar[set[tuple[object, ...]]] = set()
    """Where a way out was found already; it depends on nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.model = Model()
        self.books = invariants.Books()
        self.shadow: Contract | None = None
        """The contract as its log gives it: every event went through JSON and back."""

    # -- the beginning --------------------------------------------------------------------------------------------

    @initialize(
        currency=CURRENCIES,
        client_bps=POINTS,
        freelancer_bps=POINTS,
        minors=st.lists(MINORS, min_size=1, max_size=4),
        author=st.sampled_from([CLIENT, FREELANCER]),
        review_hours=st.sampled_from([48, 72, 336]),
        opening=st.integers(0, 7),
    )
    def propose(
        self,
        currency: str,
        client_bps: int,
        freelancer_bps: int,
        minors: list[int],
        author: Actor,
        review_hours: int,
        opening: int,
    ) -> None:
        self.story.currency = currency
        self.story.fees = Fees(client_bps, freelancer_bps)
        terms = c.Terms(title="A website", currency=currency, windows={"review_hours": review_hours})
        self.play(self.proposal(terms, minors), author)
        if opening:
            self.play(c.Accept(contract_id=self.story.id, revision=1), self.story.whose_turn())
        if opening > 1:
            self.play(self.story.funding(1), CLIENT)
        if opening > 2:
            self.report(0, "right")
        if opening > 3:
            self.play(self.submission(0), FREELANCER)

    def proposal(self, terms: c.Terms, minors: list[int]) -> c.Propose:
        return c.Propose(
            contract_id=self.story.fresh(Kind.CONTRACT),
            client_id=CLIENT_ID,
            freelancer_id=FREELANCER_ID,
            terms=terms,
            plan=self.plan(minors),
        )

    @rule(
        actor=ANYBODY,
        minors=st.lists(MINORS | BAD_MINORS, max_size=2),
        client_id=st.sampled_from([CLIENT_ID, FREELANCER_ID]),
    )
    def propose_another(self, actor: Actor, minors: list[int], client_id: str) -> None:
        """A proposal beside the one that is played: judged, and forgotten."""
        aside = Story(**{name: getattr(self.story, name) for name in ("now", "fees", "client", "freelancer")})
        aside.share_member, aside.currency = self.story.share_member, self.story.currency
        command = replace(self.proposal(c.Terms(title="Another", currency=aside.currency), minors), client_id=client_id)
        if client_id == FREELANCER_ID:
            aside.client = self.story.freelancer
        predicted = Model().take(command, actor, aside.around())
        aside.do(command, actor)
        assert aside.code() == predicted
        assert (aside.contract is None) == (predicted is not None)

    # -- what the parties and others do ---------------------------------------------------------------------------

    @rule(pick=INDEX)
    def do_something_that_fits(self, pick: int) -> None:
        """One of the commands that the law allows now, by the side that it allows it to."""
        lawful = copy.deepcopy(self.model)
        lawful.let_time_pass(self.story.now)
        around = self.story.around()
        fitting = [
            (command, actor)
            for command in self.plain_commands()
            for actor in (CLIENT, FREELANCER)
            if lawful.refusal(command, actor, around) is None
        ]
        if fitting:
            self.play(*fitting[pick % len(fitting)])

    @rule(
        what=st.sampled_from(ON_CONTRACTS),
        actor=ANYBODY,
        minor=MINORS | BAD_MINORS,
        odd=st.integers(0, 9),
        place=st.integers(-1, 7),
    )
    def ask_something_of_the_contract(self, what: str, actor: Actor, minor: int, odd: int, place: int) -> None:
        self.play(self.contract_command(what, minor, odd, place), actor)

    @rule(
        what=st.sampled_from(ON_MILESTONES),
        which=st.integers(-2, 5),
        actor=ANYBODY,
        minor=MINORS | BAD_MINORS,
        odd=st.integers(0, 9),
        place=st.integers(-1, 7),
    )
    def ask_something_of_a_milestone(
        self, what: str, which: int, actor: Actor, minor: int, odd: int, place: int
    ) -> None:
        self.play(self.milestone_command(what, which, minor, odd, place), actor)

    # -- what the provider, the clock and the world do ------------------------------------------------------------

    @precondition(lambda self: self.model.charges)
    @rule(
        which=INDEX,
        says=st.sampled_from(
            ["right", "right", "other amount", "other currency", "no money", "failed", "unknown", "stranger"]
        ),
    )
    def report(self, which: int, says: str) -> None:
        charge = list(self.model.charges.values())[-1 - which % len(self.model.charges)]
        right = Money(charge.amount + charge.fee, self.model.currency)
        said = {
            "other amount": replace(right, minor=right.minor + 1),
            "other currency": replace(right, currency="EUR"),
            "no money": replace(right, minor=0),
        }.get(says, right)
        deposit_id = named(Kind.DEPOSIT, 9) if says == "unknown" else charge.id
        actor = CLIENT if says == "stranger" else PROVIDER
        if says == "failed":
            self.play(c.FailDeposit(contract_id=self.story.id, deposit_id=deposit_id, reason="no funds"), actor)
        else:
            self.play(c.ConfirmDeposit(contract_id=self.story.id, deposit_id=deposit_id, amount=said), actor)

    @precondition(lambda self: self.model.sendings)
    @rule(which=INDEX, paid=st.booleans(), actor=st.sampled_from([PROVIDER, PROVIDER, PROVIDER, FREELANCER]))
    def report_an_order(self, which: int, paid: bool, actor: Actor) -> None:
        order_id = list(self.model.sendings)[-1 - which % len(self.model.sendings)]
        if paid:
            self.play(c.ConfirmOrder(contract_id=self.story.id, order_id=order_id), actor)
        else:
            self.play(c.FailOrder(contract_id=self.story.id, order_id=order_id, reason="account closed"), actor)

    @precondition(lambda self: self.model.due())
    @rule(off=st.sampled_from([-TICK, timedelta(0), timedelta(0), TICK, timedelta(minutes=5)]), swept=st.booleans())
    def come_to_the_next_deadline(self, off: timedelta, swept: bool) -> None:
        self.story.now = max(self.story.now, self.model.due()[0][0] + off)
        if swept:
            self.play(c.ApplyDeadlines(contract_id=self.story.id), CLOCK)

    @rule(span=st.sampled_from([timedelta(0), TICK, timedelta(hours=1), timedelta(days=2), timedelta(weeks=3)]))
    def let_time_pass(self, span: timedelta) -> None:
        self.story.now += span

    @rule(
        what=st.sampled_from(["client", "freelancer", "share", "mediators", "fees", "all well", "all well", "all well"])
    )
    def change_the_world(self, what: str) -> None:
        story = self.story
        assert story.client is not None
        assert story.freelancer is not None
        match what:
            case "client":
                story.client = replace(story.client, disabled=True)
            case "freelancer":
                story.freelancer = replace(story.freelancer, disabled=True)
            case "share":
                story.share_member = True
            case "mediators":
                story.disputes_can_be_decided = False
            case "fees":
                story.fees = Fees(story.fees.freelancer_bps, story.fees.client_bps)
            case _:
                story.client, story.freelancer = (
                    replace(one, disabled=False) for one in (story.client, story.freelancer)
                )
                story.share_member, story.disputes_can_be_decided = False, True

    # -- the words for it -----------------------------------------------------------------------------------------

    def raw(self, minor: int, odd: int = 9) -> RawMoney:
        """The amount as written; every tenth time in another currency or with a decimal too many."""
        decimals = DECIMALS[self.story.currency]
        amount = Decimal(minor).scaleb(-decimals)
        if odd == 0:
            return RawMoney(amount, "EUR")
        return RawMoney(Decimal(minor * 10 + 1).scaleb(-decimals - 1) if odd == 1 else amount, self.story.currency)

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

    def contract_command(self, what: str, minor: int, odd: int, place: int) -> c.Command:
        story = self.story
        version = story.state.plan_version + (1 if odd == 3 else 0) if odd in (3, 4) else None
        match what:
            case "revise":
                terms = c.Terms(
                    windows={"review_hours": 47} if odd == 5 else {"offer_hours": 1} if odd == 6 else {},
                    currency={0: "EUR", 7: story.currency}.get(odd),
                    time_zone="Nowhere/At-All" if odd == 8 else None,
                )
                minors = [] if odd == 4 else [minor] * (1 + place % 3)
                return c.Revise(
                    contract_id=story.id, terms=terms, plan=self.plan(minors, odd), expected_version=version
                )
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
            case _:
                amount = None if odd > 5 else self.raw(minor, odd)
                return c.RequestPayout(contract_id=story.id, order_id=story.fresh(Kind.ORDER), amount=amount)

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
                return c.Fund(
                    milestone_id=milestone_id,
                    deposit_id=self.story.fresh(Kind.DEPOSIT),
                    order_id=self.story.fresh(Kind.ORDER),
                    revision=state.revision + odd - 3 if odd in (3, 4) else None,
                )
            case "cancel":
                return c.CancelFunding(milestone_id=milestone_id)
            case "submit":
                return replace(self.submission(0), milestone_id=milestone_id)
            case "approve":
                return c.Approve(milestone_id=milestone_id)
            case _:
                return c.RequestChanges(milestone_id=milestone_id, note="" if odd == 2 else "Bluer")

    def target(self, which: int) -> str:
        """A milestone of the plan, of an earlier revision (-1), or of nobody (-2)."""
        state = self.story.state
        if which == -2:
            return NOWHERE
        if which == -1 and state.former:
            return next(iter(state.former))
        return state.milestones[which % len(state.milestones)].id

    def submission(self, which: int) -> c.Submit:
        milestone = self.story.state.milestones[which]
        return c.Submit(milestone_id=milestone.id, submission_id=self.story.fresh(Kind.SUBMISSION), message="Done")

    def plain_commands(self) -> list[c.Command]:
        here = [
            self.contract_command(what, 10, 9, 1)
            for what in ("accept", "decline", "withdraw", "add", "payout", "revise")
        ]
        for which, milestone in enumerate(self.story.state.milestones):
            if milestone.state.value not in ("RELEASED", "CANCELLED"):
                here += [self.milestone_command(what, which, 10, 9, which + 1) for what in ON_MILESTONES]
        return here

    # -- one step, and what must be true after it -----------------------------------------------------------------

    def play(self, command: c.Command, actor: Actor) -> None:
        story, around, before = self.story, self.story.around(), self.story.contract
        forecast = copy.deepcopy(self.model)
        predicted = forecast.take(command, actor, around)
        barred = self.barred(command, actor)
        done = story.do(command, actor)
        assert story.code() == predicted, f"{command} by {actor}: {done.refusal!r}"
        if barred is not None:
            assert story.code() == barred or story.code() in DEPENDS_ON_INPUT
        elif isinstance(command, c.PartyCommand) and not isinstance(command, c.Propose):
            assert story.code() in {None, *DEPENDS_ON_INPUT}, "permit said nothing, decide refused"
        if predicted in ("NOT_FOUND", "FORBIDDEN"):
            assert done.after is before
            assert done.recorded == ()
            return
        self.model = forecast
        invariants.check_times(before, done.recorded, around)
        self.fold(done)
        self.name_orders()
        self.check_versions(before)
        self.compare()
        self.books.check(story.state)
        invariants.check_plan(story.state)
        invariants.check_deposits(story.state)
        self.check_ways_out()

    def barred(self, command: c.Command, actor: Actor) -> str | None:
        """What `permit` says of the command on the contract as it is in law now."""
        if self.story.contract is None or isinstance(command, (c.Propose, c.ApplyDeadlines, c.Report)):
            return None
        around = self.story.around()
        state = advance(self.story.contract, around=around, fresh=counted())
        milestone_id = getattr(command, "milestone_id", None)
        refusal = permit(state, command.action, milestone_id, actor=actor, around=around)
        return None if refusal is None else refusal.code.value

    def fold(self, done: Step) -> None:
        """Each recorded event goes through the codec and JSON, and the log alone must give the same contract."""
        for recorded in done.recorded:
            event = recorded.event
            data, texts = json.loads(json.dumps(encode(event)))
            read = decode(CATALOGUE[event.type, event.schema_version], data, texts)
            assert read == event
            self.shadow = evolve(self.shadow, self.story.id, Recorded(read, recorded.at, recorded.actor))
            self.books.book(self.story.id, recorded)
        assert self.shadow == self.story.state

    def name_orders(self) -> None:
        """Gives the model the names of the returns that the core has ordered, which must be the ones it expects."""
        for order in self.story.state.orders.values():
            if order.kind is OrderKind.REFUND and order.id not in self.model.sendings:
                sending = self.model.unnamed.pop(0)
                assert sending.amount == order.amount
                self.model.sendings[order.id] = sending
        assert not self.model.unnamed, "what came wrongly is sent back in the same write"

    def check_versions(self, before: Contract | None) -> None:
        after = self.story.state
        if before is not None:
            plans = [[(one.id, one.amount_minor) for one in state.milestones] for state in (before, after)]
            assert after.plan_version > before.plan_version or plans[0] == plans[1]
            assert after.plan_version >= before.plan_version
        self.model.plan_version = after.plan_version

    def compare(self) -> None:
        """The core's contract is the model's: states, plan, deposits, orders, books and clocks."""
        state, model = self.story.state, self.model
        assert (state.state, state.revision, state.written_by) == (model.state, model.revision, model.author)
        assert [
            (one.id, one.state, one.amount_minor, one.held_minor, one.held_fee_minor, one.review_due_at)
            for one in state.milestones
        ] == [(one.id, one.state, one.amount, one.held, one.fee, one.review_due) for one in model.pieces]
        assert {key: one.state for key, one in state.former.items()} == {
            key: one.state for key, one in model.former.items()
        }
        assert {key: (one.state, one.returned) for key, one in state.deposits.items()} == {
            key: (one.state, tuple(one.returned)) for key, one in model.charges.items()
        }
        assert {
            one.id: (one.kind, one.state, one.amount)
            for one in state.orders.values()
            if one.kind is not OrderKind.DEPOSIT
        } == {key: (one.kind, one.state, one.amount) for key, one in model.sendings.items()}
        lawful = Counter(
            {
                (account if ":" in account else f"{account}:{currency}", currency): minor
                for (account, currency), minor in model.books.items()
                if minor
            }
        )
        assert {key: minor for key, minor in self.books.balances.items() if minor} == lawful
        clocks = deadlines(state)
        assert [(one.due_at, RANKS[one.kind], one.position, one.subject_id) for one in clocks] == model.due()
        assert next_deadline(state) == (clocks[0] if clocks else None)
        assert {name: getattr(state.windows, name) for name in WINDOWS} == model.windows

    def check_ways_out(self) -> None:
        """Where money is held, either side can get it out without the other."""
        state, around = self.story.state, self.story.around()
        if not any(milestone.held_minor for milestone in state.milestones):
            return
        assert around.client is not None
        assert around.freelancer is not None
        signature = (
            *(milestone.state for milestone in state.milestones),
            around.client.disabled,
            around.freelancer.disabled,
        )
        if signature not in self.known_ways_out:
            for side in Side:
                assert invariants.way_out(state, around, side), f"no way out for the {side} alone"
            self.known_ways_out.add(signature)

    def teardown(self) -> None:
        if self.story.contract is not None:
            assert folded(self.story.id, self.story.log) == self.story.state


TestRandomHistories = Histories.TestCase
TestRandomHistories.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=40)
