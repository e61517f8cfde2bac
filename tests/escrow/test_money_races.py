"""Every pair of commands that can resolve the same held money, raced on real PostgreSQL; `HYPOTHESIS_PROFILE=deep` races on.

Whoever is faster, the outcome is that of one of the two orders, as the pure core tells them, and each minor unit leaves its
milestone's escrow once.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from escrow import clock, database, ids, log
from escrow.access import CLOCK, Actor, Scope
from escrow.agreement import commands as c
from escrow.agreement.state import Contract
from escrow.agreement.step import step
from escrow.audit import audit
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome, run
from escrow.states import ReversalOutcome
from escrow.store import write as store_write
from escrow.terms import Terms
from tests.chance import often
from tests.escrow.agreement.acts import deposit, fund_all, reverse
from tests.escrow.agreement.stage import CLIENT, FREELANCER, MEDIATOR, OPERATOR, Story
from tests.escrow.laying import begin, lay_down, make_accounts

pytestmark = pytest.mark.usefixtures("database")

RACES: Final = often(10, deep=1_250)
"""Of each pair."""

AT_ONCE: Final = 5
"""Contracts on which a race is on at the same time: two connections each."""

DAY: Final = timedelta(days=1)
Asked = tuple[c.Command, Actor]
Racer = Callable[[Story], Asked]


@dataclass(frozen=True)
class Situation:
    """Held money, and who may take it somewhere: `first` against themselves and all `others`, and against each other."""

    build: Callable[[datetime], Story]
    first: tuple[str, ...]
    others: tuple[str, ...] = ()

    def pairs(self) -> Iterable[tuple[str, str]]:
        yield from itertools.combinations_with_replacement(self.first, 2)
        yield from itertools.product(self.first, self.others)


# -- where the money is held ------------------------------------------------------------------------------------------


def _submitted(now: datetime, *, ago: timedelta = timedelta(0)) -> Story:
    """Submitted work, with the next milestone funded: nobody holds it."""
    story = begin(now, ago=ago).propose("100.01", "50.03", "7.07").accept()
    return fund_all(story).confirm().submit(1)


def _asked_back(now: datetime, *, ago: timedelta = timedelta(0)) -> Story:
    return _submitted(now, ago=ago).request_refund()


def _disputed(now: datetime, *, ago: timedelta = timedelta(0)) -> Story:
    story = _submitted(now, ago=ago).open_dispute(claim="33.34")
    return story.offer("20.00", by=CLIENT).offer("70.00", by=FREELANCER)


def _in_mediation(now: datetime) -> Story:
    return _disputed(now).reject_claim()


def _taken_back(now: datetime) -> Story:
    story = _submitted(now)
    return reverse(story, deposit(story).id)


def _proposed(now: datetime, *, ago: timedelta = timedelta(0)) -> Story:
    return fund_all(begin(now, ago=ago).propose("100.01", "50.03", by=CLIENT)).confirm()


def _proposed_and_taken_back(now: datetime) -> Story:
    story = _proposed(now)
    return reverse(story, deposit(story).id)


def _limited(now: datetime) -> Story:
    """Everything was deposited thirty-one days ago, of which it could be held for thirty."""
    story = begin(now, ago=31 * DAY)
    story.terms = Terms(usual_hold_limit=60 * DAY)
    return fund_all(story.propose("100.01", "50.03", "7.07").accept()).confirm()


SITUATIONS: Final = {
    "submitted": Situation(_submitted, ("approve", "approve less", "give refund", "give part", "end")),
    "review over": Situation(
        lambda now: _submitted(now, ago=15 * DAY),
        ("silence",),
        ("approve", "approve less", "give refund", "give part", "end"),
    ),
    "asked back": Situation(_asked_back, ("accept refund",), ("approve", "give refund", "end")),
    "answer over": Situation(
        lambda now: _asked_back(now, ago=8 * DAY), ("silence",), ("accept refund", "approve", "give refund", "end")
    ),
    "disputed": Situation(
        _disputed,
        ("accept claim", "accept the client's offer", "accept the freelancer's offer"),
        ("approve", "give refund", "end"),
    ),
    "claim over": Situation(
        lambda now: _disputed(now, ago=8 * DAY),
        ("silence",),
        ("accept claim", "accept the client's offer", "accept the freelancer's offer", "approve", "give refund", "end"),
    ),
    "in mediation": Situation(
        _in_mediation,
        ("decide",),
        (
            "decide as the operator",
            "accept claim",
            "accept the client's offer",
            "accept the freelancer's offer",
            "approve",
            "give refund",
            "end",
        ),
    ),
    "held too long": Situation(
        lambda now: _limited(now).wait(29 * DAY).submit(1),
        ("silence",),
        ("approve", "give refund", "ask back", "end"),
    ),
    "held too long, nobody asked": Situation(_limited, ("silence",), ("approve", "dispute", "submit", "fund")),
    "held too long, asked back": Situation(
        lambda now: _limited(now).wait(28 * DAY).request_refund(),
        ("silence",),
        ("accept refund", "decline refund", "approve", "end"),
    ),
    "held too long, disputed": Situation(
        lambda now: _limited(now).wait(28 * DAY).open_dispute(claim="33.34").offer("20.00", by=CLIENT),
        ("silence",),
        ("accept claim", "reject claim", "withdraw dispute", "accept the client's offer", "decide"),
    ),
    "taken back": Situation(_taken_back, ("lose", "win"), ("end",)),
    "proposed": Situation(_proposed, ("revise", "decline", "withdraw"), ("accept",)),
    "proposed and taken back": Situation(
        _proposed_and_taken_back, ("lose",), ("revise", "decline", "withdraw", "accept")
    ),
    "offer over": Situation(
        lambda now: _proposed(now, ago=31 * DAY), ("silence",), ("revise", "decline", "withdraw", "accept")
    ),
}


# -- who takes it -----------------------------------------------------------------------------------------------------


def _approve(amount: str | None = None) -> Racer:
    return lambda story: (c.Approve(milestone_id=story.milestone().id, amount=story.maybe(amount)), CLIENT)


def _give(amount: str | None = None) -> Racer:
    return lambda story: (c.GiveRefund(milestone_id=story.milestone().id, amount=story.maybe(amount)), FREELANCER)


def _end(story: Story) -> Asked:
    held = story.state.money(story.state.held_minor)
    return c.End(contract_id=story.id, giving_up=story.money(held.amount)), FREELANCER


def _settle(amount: str, by: Actor) -> Racer:
    return lambda story: (
        c.AcceptSettlement(dispute_id=story.dispute().id, to_freelancer=story.money(amount)),
        by,
    )


def _decide(amount: str, by: Actor) -> Racer:
    return lambda story: (
        c.DecideDispute(dispute_id=story.dispute().id, to_freelancer=story.money(amount), reason="So"),
        by,
    )


def _resolve(outcome: ReversalOutcome) -> Racer:
    return lambda story: (c.ResolveReversal(deposit_id=deposit(story).id, outcome=outcome), OPERATOR)


RACERS: Final[dict[str, Racer]] = {
    "approve": _approve(),
    "approve less": _approve("60.00"),
    "give refund": _give(),
    "give part": _give("33.33"),
    "end": _end,
    "silence": lambda story: (c.ApplyDeadlines(contract_id=story.id), CLOCK),
    "accept refund": lambda story: (c.AcceptRefund(refund_id=story.refund().id), FREELANCER),
    "accept claim": lambda story: (c.AcceptClaim(dispute_id=story.dispute().id), FREELANCER),
    "accept the client's offer": _settle("20.00", FREELANCER),
    "accept the freelancer's offer": _settle("70.00", CLIENT),
    "decide": _decide("12.34", MEDIATOR),
    "decide as the operator": _decide("43.21", replace(OPERATOR, scopes=frozenset(Scope))),
    "ask back": lambda story: (
        c.RequestRefund(milestone_id=story.milestone().id, refund_id=ids.new(Kind.REFUND_REQUEST)),
        CLIENT,
    ),
    "dispute": lambda story: (
        c.OpenDispute(
            milestone_id=story.milestone().id,
            dispute_id=ids.new(Kind.DISPUTE),
            claim=story.money("1.00"),
            reason="So",
        ),
        CLIENT,
    ),
    "decline refund": lambda story: (
        c.DeclineRefund(refund_id=story.refund().id, dispute_id=ids.new(Kind.DISPUTE), reason="So"),
        FREELANCER,
    ),
    "reject claim": lambda story: (c.RejectClaim(dispute_id=story.dispute().id), FREELANCER),
    "withdraw dispute": lambda story: (c.WithdrawDispute(dispute_id=story.dispute().id), CLIENT),
    "submit": lambda story: (
        c.Submit(milestone_id=story.milestone().id, submission_id=ids.new(Kind.SUBMISSION), message="Here"),
        FREELANCER,
    ),
    "fund": lambda story: (
        c.Fund(milestone_id=story.milestone().id, deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER)),
        CLIENT,
    ),
    "lose": _resolve(ReversalOutcome.LOST),
    "win": _resolve(ReversalOutcome.WON),
    "revise": lambda story: (c.Revise(contract_id=story.id, terms=c.Terms(), plan=story.plan("9.99")), FREELANCER),
    "decline": lambda story: (c.Decline(contract_id=story.id), FREELANCER),
    "withdraw": lambda story: (c.Withdraw(contract_id=story.id), CLIENT),
    "accept": lambda story: (c.Accept(contract_id=story.id, revision=1), FREELANCER),
}

PAIRS: Final = [(name, *pair) for name, situation in SITUATIONS.items() for pair in situation.pairs()]


# -- the races --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "one", "other"), PAIRS, ids=["-".join(names).replace(" ", "_") for names in PAIRS])
async def test_held_money_is_resolved_once_by_whoever_is_faster(
    where: str, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_accounts()
    lost = count_lost_races(monkeypatch)
    for _ in range(RACES // AT_ONCE):
        now = await clock.now()
        stories = [SITUATIONS[where].build(now) for _ in range(AT_ONCE)]
        await asyncio.gather(*(lay_down(story) for story in stories))
        asked = [(RACERS[one](story), RACERS[other](story)) for story in stories]
        refusals = await asyncio.gather(*(race(*pair) for pair in asked))
        found = await signatures(stories)
        for story, pair, codes in zip(stories, asked, refusals, strict=True):
            assert (found[story.id], codes) in in_some_order(story, pair, now)
    assert sum(lost) >= RACES // 10, "they hardly met"
    await assert_sound()


def count_lost_races(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Fills up with `True` for every write that found somebody else's before it."""
    write, lost = store_write.write, list[bool]()

    async def watched(*args: Any, **options: Any) -> bool:
        written = await write(*args, **options)
        lost.append(not written)
        return written

    monkeypatch.setattr("escrow.store.write.write", watched)
    return lost


async def race(one: Asked, other: Asked) -> tuple[str | None, str | None]:
    """The codes that refused the two, run at once in either order of starting."""
    pair = [one, other] if random.random() < 0.5 else [other, one]
    outcomes = await asyncio.gather(*(run(command, by=actor) for command, actor in pair), return_exceptions=True)
    codes = [code_of(outcome) for outcome in outcomes]
    return (codes[0], codes[1]) if pair[0] is one else (codes[1], codes[0])


def code_of(outcome: ContractOutcome | BaseException) -> str | None:
    if isinstance(outcome, ContractOutcome):
        return None
    if isinstance(outcome, DomainError):
        return outcome.code.value
    raise outcome


Signature = tuple[str, tuple[tuple[object, ...], ...], frozenset[tuple[str, int]]]
"""What became of the money: the contract's state, its milestones with their sums, and its balances."""

_SUMS: Final = (
    "state", "amount_minor", "held_minor", "held_fee_minor", "released_minor", "refunded_minor", "rolled_minor", "lost_minor"
)  # fmt: skip


def signature(contract: Contract) -> Signature:
    milestones = sorted((*contract.former.values(), *contract.milestones), key=lambda one: one.id)
    rows = tuple((one.id, *(_plain(getattr(one, name)) for name in _SUMS)) for one in milestones)
    balances = frozenset((account, minor) for (account, _), minor in contract.balances.items() if minor)
    return contract.state.value, rows, balances


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


async def signatures(stories: list[Story]) -> dict[str, Signature]:
    """What the database says became of each."""
    wanted = [story.id for story in stories]
    states = await database.fetch("SELECT id, state FROM contracts WHERE id = ANY ($1)", wanted)
    rows = await database.fetch(
        f"SELECT contract_id, id, {', '.join(_SUMS)} FROM milestones WHERE contract_id = ANY ($1) ORDER BY id",
        wanted,
    )
    balances = await database.fetch(
        "SELECT contract_id, account, balance_minor FROM balances WHERE contract_id = ANY ($1) AND balance_minor <> 0",
        wanted,
    )
    return {
        contract_id: (
            state,
            tuple(tuple(row)[1:] for row in rows if row[0] == contract_id),
            frozenset((account, minor) for owner, account, minor in balances if owner == contract_id),
        )
        for contract_id, state in states
    }


def in_some_order(
    story: Story, pair: tuple[Asked, Asked], now: datetime
) -> list[tuple[Signature, tuple[str | None, str | None]]]:
    """What the pure core makes of the two, one after the other."""
    story.now = now
    return [_told(story, pair[0], pair[1]), _told(story, pair[1], pair[0], swapped=True)]


def _told(
    story: Story, first: Asked, second: Asked, *, swapped: bool = False
) -> tuple[Signature, tuple[str | None, str | None]]:
    state: Contract | None = story.state
    codes: list[str | None] = []
    for command, actor in (first, second):
        done = step(state, command, actor=actor, around=story.around(actor), fresh=ids.new)
        state = done.after
        codes.append(None if done.refusal is None else done.refusal.code.value)
    assert state is not None
    return signature(state), (codes[1], codes[0]) if swapped else (codes[0], codes[1])


async def assert_sound() -> None:
    """The audit is clean: every law of the books, and the log folds to what the tables say."""
    while await log.sequence():
        pass
    assert [str(difference) async for difference in audit()] == []
    assert database.pool_use()[0] == 0
