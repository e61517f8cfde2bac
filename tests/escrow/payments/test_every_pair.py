"""Every pair of what became of an order at the provider and what was lost on the way: one right outcome each.

The provider of this table keeps what it did in memory and forgets, answers or loses answers as the row says. A row begins
where a worker has claimed an order, made a call, and died or not; then other workers go on, with or without notices, until
nothing is due any more. Money may never move twice, and never stay away without somebody knowing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch
from escrow.payments import orders
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Request,
    Sought,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.results import (
    Answer,
    Failed,
    Found,
    Hint,
    NeedsAction,
    PayerAction,
    Pending,
    Prepared,
    ProviderError,
    StoredFault,
    Succeeded,
    Unknown,
)
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.states import ActionKind
from tests.escrow.payments.stage import Deal, age_calls, make_due, order, put_off, strike

LOSSES: Final = ("answered", "answer lost", "call lost", "fault stored", "done and fault stored")
RESULTS: Final = ("succeeds", "fails", "is pending, then succeeds")
KINDS: Final = ("DEPOSIT", "REFUND", "PAYOUT")
NOTICES: Final = ("no notice", "a notice, and again later")
TURNS: Final = 6
"""More than any of these orders needs."""

pytestmark = pytest.mark.usefixtures("database")


@dataclass
class Strict(Sandbox):
    """A provider that counts what it moves. The first call that would move money is lost, or not, as it is told."""

    loss: str = "answered"
    result: str = "succeeds"
    made: dict[str, Request] = field(default_factory=dict)
    """What it did, by key: found by look-ups for ever, repeated for whoever calls while the key is remembered."""
    faults: set[str] = field(default_factory=set)
    hidden: int = 2
    """How often a look-up by key doesn't find yet what was done before a fault."""
    forgotten: bool = False
    settled: bool = False
    moved: Counter[str] = field(default_factory=Counter)
    confirmed: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    first: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        return Prepared(f"ch_{request.order_id}")

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        if provider_id in self.cancelled:
            return Failed("cancelled", provider_id)
        if provider_id not in self.confirmed:
            self._lose_the_call(request.key)
            self.confirmed.add(provider_id)
            self._move("CONFIRM")
        return self._answer(request, provider_id)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        if provider_id not in self.confirmed:
            self.cancelled.add(provider_id)
            return Failed("cancelled", provider_id)
        return self._came_to(provider_id, self.made[provider_id])

    async def refund(self, request: RefundRequest) -> Answer:
        return self._move_once("REFUND", request)

    async def transfer(self, request: TransferRequest) -> Answer:
        return self._move_once("TRANSFER", request)

    async def payout(self, request: PayoutRequest) -> Answer:
        return Succeeded(request.amount, f"po_{request.key}")

    async def take_back(self, request: TakeBackRequest) -> Answer:
        raise AssertionError("no payout of this table fails after its transfer")

    async def look_up(self, sought: Sought) -> Found:
        if sought.provider_id in self.confirmed or sought.provider_id in self.cancelled:
            request = self.made.get(sought.provider_id or "")
            return self._came_to(sought.provider_id or "", request) if request else Failed("cancelled")
        if sought.step == "CONFIRM":
            return Prepared(sought.provider_id or "")
        if sought.key in self.faults and self.hidden:
            self.hidden -= 1
            return Unknown()
        request = self.made.get(sought.key)
        return self._came_to(f"it_{sought.key}", request) if request is not None else Unknown()

    def _move_once(self, kind: str, request: Request) -> Answer:
        if request.key in self.faults:
            raise StoredFault("the same fault as before")
        if request.key not in self.made or self.forgotten:
            self._lose_the_call(request.key)
            self._move(kind)
        return self._answer(request, f"it_{request.key}", at=request.key)

    def _answer(self, request: Request, provider_id: str, *, at: str | None = None) -> Answer:
        self.made[at or provider_id] = request
        was_first, self.first = self.first, False
        if was_first and self.loss == "answer lost":
            raise ProviderError("the connection broke")
        if was_first and self.loss == "done and fault stored":
            self.faults.add(request.key)
            raise StoredFault("our own fault, afterwards")
        found = self._came_to(provider_id, request)
        assert not isinstance(found, Unknown | Prepared)
        return found  # type: ignore[return-value]  # nothing is reversed here

    def _lose_the_call(self, key: str) -> None:
        if self.first and self.loss == "call lost":
            self.first = False
            raise ProviderError("nobody there")
        if self.first and self.loss == "fault stored":
            self.first = False
            self.faults.add(key)
            raise StoredFault("our own fault")

    def _move(self, kind: str) -> None:
        if self.result != "fails":
            self.moved[kind] += 1

    def _came_to(self, provider_id: str, request: Request) -> Found:
        if self.result == "fails":
            return Failed("declined", provider_id)
        if self.result == "is pending, then succeeds" and not self.settled:
            return Pending(provider_id)
        return Succeeded(request.amount, provider_id)


@dataclass(frozen=True)
class Row:
    kind: str
    result: str
    loss: str
    notices: str
    is_forgotten: bool
    """Whether a day passes before anybody looks again."""
    given_up: bool
    """For a deposit: whether the client cancels it before anybody looks again."""

    def __str__(self) -> str:
        told = [self.kind, self.result, self.loss, self.notices]
        told += ["a day passes"] * self.is_forgotten + ["given up"] * self.given_up
        return ", ".join(told).lower()

    @property
    def reached(self) -> bool:
        """Whether the first call did what it was asked for."""
        return self.loss in ("answered", "answer lost", "done and fault stored")

    @property
    def waits(self) -> bool:
        """Only what can't be looked up by an identifier of its own, and whose key is of no use; nobody knows whether that is
        because nothing was done."""
        is_of_no_use = self.loss == "fault stored" or (self.loss == "call lost" and self.is_forgotten)
        return self.kind != "DEPOSIT" and is_of_no_use

    @property
    def is_stuck(self) -> bool:
        """That, once its key may be forgotten."""
        return self.waits and self.is_forgotten

    @property
    def was_stuck(self) -> bool:
        """The same, and what turned up after a person had been told."""
        turned_up = self.kind != "DEPOSIT" and self.loss == "done and fault stored" and self.is_forgotten
        return self.is_stuck or turned_up

    @property
    def state(self) -> str:
        """What the books must say in the end. A refund that fails is tried again."""
        if self.given_up and not (
            self.reached and self.loss == "answered" and self.result != "is pending, then succeeds"
        ):
            return "ABANDONED"
        if self.waits:
            return "STARTED"
        return "FAILED" if self.result == "fails" else "PAID"

    @property
    def moves(self) -> int:
        """How often money must have moved."""
        if self.result == "fails" or self.waits or (self.given_up and not self.reached):
            return 0
        return 1


def rows() -> Iterator[Row]:
    for kind, result, loss, notices, forgotten, given_up in itertools.product(
        KINDS, RESULTS, LOSSES, NOTICES, (False, True), (False, True)
    ):
        if not given_up or kind == "DEPOSIT":
            yield Row(kind, result, loss, notices, forgotten, given_up)


async def begun(kind: str, deal: Deal) -> str:
    """An order of the kind that nobody has carried out yet."""
    if kind == "DEPOSIT":
        return await deal.fund()
    await deal.contract.confirm(await deal.contract.fund())
    if kind == "PAYOUT":
        await deal.approve()
        order_id = await deal.request_payout()
    else:
        await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
        found = await fetch("SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND'", deal.id)
        order_id = found[0]["id"]
    await fetch("UPDATE payment_orders SET due_at = NULL WHERE contract_id = $1 AND kind = 'DEPOSIT'", deal.id)
    return order_id


async def attend(order_id: str, provider: Strict, hints: Sequence[Hint] = ()) -> None:
    """A worker's turn, when the order's time has come, or by notices alone."""
    await (put_off if hints else make_due)(order_id)
    await orders.nudge(hints)
    await turn(provider)


async def sweep(order_id: str, provider: Strict) -> None:
    """The same by the hourly sweep alone, which has the order's time come; and that of whatever other rows left open, whose
    provider this isn't."""
    await put_off(order_id)
    await orders.reconcile()
    await fetch("UPDATE payment_orders SET due_at = NULL WHERE id <> $1", order_id)
    await turn(provider)


async def turn(provider: Strict) -> None:
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, provider)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
async def test_there_is_one_right_outcome(kind: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "RECONCILE_SPREAD_SECONDS", 0.0)  # what the sweep wakes is due at once, not by chance
    first = await strike("1.00")
    for row in rows():
        if (row.kind, row.loss) == (kind, loss):
            try:
                await play(row, await first.another("100.00", "50.00"))
            except AssertionError as wrong:
                wrong.add_note(str(row))
                raise
    assert [difference async for difference in audit()] == []


async def play(row: Row, deal: Deal) -> None:
    order_id = await begun(row.kind, deal)
    provider = Strict(loss=row.loss, result=row.result)
    await attend(order_id, provider)
    if row.given_up and (await order(order_id))["state"] == "STARTED":
        await deal.cancel()
    if row.is_forgotten:
        provider.forgotten = True
        await age_calls(order_id, "25 hours")
    provider.settled = True
    for _ in range(TURNS):
        if row.notices == "no notice":
            await sweep(order_id, provider)
        else:
            await attend(order_id, provider, [Hint(order_id)])
    found = await order(order_id)
    assert (found["state"], found["is_stuck"]) == (row.state, row.is_stuck)
    kind = {"DEPOSIT": "CONFIRM", "REFUND": "REFUND", "PAYOUT": "TRANSFER"}[row.kind]
    assert provider.moved[kind] == row.moves, "once, or not at all"
    assert len(await deal.events("order.stuck")) == row.was_stuck
    told = {
        "DEPOSIT": ("deposit.confirmed", "deposit.returned"),
        "REFUND": ("refund.paid",),
        "PAYOUT": ("payout.paid",),
    }
    assert len(await deal.events(*told[row.kind])) == row.moves
    assert found["lease_token"] is None
    await fetch("UPDATE payment_orders SET due_at = NULL WHERE contract_id = $1", deal.id)


@pytest.mark.parametrize("acts", ["acts", "declines", "never acts", "acts after it was given up"])
@pytest.mark.parametrize("lost", [False, True])
async def test_a_payer_who_has_to_act(acts: str, lost: bool) -> None:
    deal = await strike("100.00")
    order_id = await begun("DEPOSIT", deal)
    provider = Acting(loss="answer lost" if lost else "answered", result="succeeds")
    await attend(order_id, provider)
    await attend(order_id, provider)
    assert await deal.events("deposit.action_required") == ["deposit.action_required"]
    assert (await order(order_id))["next_action"] is not None
    if acts == "acts after it was given up":
        await deal.cancel()
        assert (await order(order_id))["next_action"] is None
        await attend(order_id, provider)
        assert provider.cancelled
        provider.acted = True
        await attend(order_id, provider)
        assert sum(provider.moved.values()) == 0
        assert await deal.milestone_state() == "PLANNED"
        return
    provider.acted, provider.declined = acts == "acts", acts == "declines"
    await attend(order_id, provider, [Hint(order_id)])
    expected = {"acts": "PAID", "declines": "FAILED", "never acts": "STARTED"}[acts]
    assert (await order(order_id))["state"] == expected
    assert ((await order(order_id))["next_action"] is not None) == (acts == "never acts")


class Acting(Strict):
    """The same, with a payer who has to do something first."""

    acted = False
    declined = False

    def _move(self, kind: str) -> None:
        pass

    def _came_to(self, provider_id: str, request: Request) -> Found:
        if provider_id in self.cancelled or self.declined:
            return Failed("declined", provider_id)
        if not self.acted:
            return NeedsAction(provider_id, PayerAction(kind=ActionKind.REDIRECT, url="https://bank.example/3ds"))
        return Succeeded(request.amount, provider_id)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        self.cancelled.add(provider_id)
        return Failed("cancelled", provider_id)
