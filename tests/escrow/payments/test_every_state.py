"""Every state of an order × everything that the provider may say of it × the answer lost or not × the key forgotten or not.

The table says what is right, cell by cell, and nothing of it is computed. An order is brought into a state; then a notice comes,
and the provider says one thing until it is asked for more: it carries out what it is asked, and remembers it. A cell is how the
order stands in the end, what was asked of the provider that moves money or gives it up, and what the log tells since the notice.
Where a key that may be forgotten makes a difference, the second half of the cell is for that. A lost answer never makes one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pytest

from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.money import Money
from escrow.payments import orders
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Request,
    Sought,
    Step,
    TakeBackRequest,
    TransferRequest,
    key_of,
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
    Reversal,
    ReversalStage,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.states import ActionKind, OrderOutcome
from tests.escrow.payments.stage import Deal, age_calls, make_due, order, put_off, strike

F = TypeVar("F", bound=Found)

pytestmark = pytest.mark.usefixtures("database")

NOTHING, PENDING, SUCCEEDED, ANOTHER_SUM, FAILED = (
    "knows nothing of it", "is at it", "says it succeeded", "says it moved another sum", "says it failed",
)  # fmt: skip
PREPARED, ASKS = "has taken nothing yet", "waits for the payer"
TAKEN_BACK, WON, WITHDRAWN, LOST = (
    "says it was taken back", "says that was won", "says that was withdrawn", "says that was lost",
)  # fmt: skip

CONFIRMED = "deposit.confirmed"
SENT_BACK = "REFUND, deposit.returned, refund.paid"
RETURNED_LATE = "REFUND, deposit.returned, deposit.reversed, deposit.reinstated, deposit.reversal_resolved, refund.paid"
REINSTATED = "deposit.reversed, deposit.reinstated, deposit.reversal_resolved"
GIVEN_UP = "deposit.reversed, deposit.reversal_resolved"

WANTED: Final = {
    NOTHING: "STARTED",
    PREPARED: f"PAID, CONFIRM, {CONFIRMED}",
    ASKS: "STARTED, deposit.action_required",
    PENDING: "STARTED",
    SUCCEEDED: f"PAID, {CONFIRMED}",
    ANOTHER_SUM: "FAILED, REFUND, deposit.failed, deposit.returned, refund.paid",
    FAILED: "FAILED, deposit.failed",
    TAKEN_BACK: f"PAID, {CONFIRMED}, deposit.reversed",
    WON: f"PAID, {CONFIRMED}, {REINSTATED}",
    WITHDRAWN: f"PAID, {CONFIRMED}, {REINSTATED}",
    LOST: f"PAID, {CONFIRMED}, {GIVEN_UP}",
}
"""A deposit that the books wait for: whatever the provider says of it holds."""

CARRIED_OUT: Final = {
    NOTHING: "PAID",
    PREPARED: "PAID",
    ASKS: "PAID",
    PENDING: "PAID",
    SUCCEEDED: "PAID",
    ANOTHER_SUM: f"PAID, {SENT_BACK}",
    FAILED: "PAID",
    TAKEN_BACK: "PAID, deposit.reversed",
    WON: f"PAID, {REINSTATED}",
    WITHDRAWN: f"PAID, {REINSTATED}",
    LOST: f"PAID, {GIVEN_UP}",
}
"""A deposit that came: it stays so, unless it is taken back; more than it goes back."""

NOBODY_WAITS: Final = {
    NOTHING: "",
    PREPARED: ", CANCEL",
    ASKS: ", CANCEL",
    PENDING: "",
    SUCCEEDED: f", {SENT_BACK}",
    ANOTHER_SUM: f", {SENT_BACK}",
    FAILED: "",
    TAKEN_BACK: "",
    WON: f", {RETURNED_LATE}",
    WITHDRAWN: f", {RETURNED_LATE}",
    LOST: "",
}
"""A deposit that failed or was given up: what could still be paid is given up there, too, and what came is sent back."""

REFUND_ASKED: Final = {
    NOTHING: "PAID, REFUND, refund.paid | STARTED and stuck, order.stuck",
    PENDING: "STARTED",
    SUCCEEDED: "PAID, refund.paid",
    ANOTHER_SUM: "STARTED and stuck, order.stuck",
    FAILED: "FAILED, refund.failed | PAID, REFUND, refund.failed, refund.paid",
}
"""A day later is also late enough to try a refund again that failed."""

TRANSFER_ASKED: Final = {
    NOTHING: "PAID, TRANSFER, PAYOUT, payout.paid | STARTED and stuck, order.stuck",
    PENDING: "STARTED",
    SUCCEEDED: "PAID, PAYOUT, payout.paid",
    ANOTHER_SUM: "STARTED and stuck, order.stuck",
    FAILED: "FAILED, payout.failed",
}

PAYOUT_ASKED: Final = {
    NOTHING: "PAID, PAYOUT, payout.paid | STARTED and stuck, order.stuck",
    PENDING: "STARTED",
    SUCCEEDED: "PAID, payout.paid",
    ANOTHER_SUM: "STARTED and stuck, order.stuck",
    FAILED: "FAILED, TAKE_BACK, payout.failed",
}

TAKE_BACK_ASKED: Final = {
    NOTHING: "FAILED, TAKE_BACK, payout.failed | STARTED and stuck, order.stuck",
    PENDING: "STARTED",
    SUCCEEDED: "FAILED, payout.failed",
    ANOTHER_SUM: "STARTED and stuck, order.stuck",
    FAILED: "STARTED and stuck, order.stuck",
}
"""Of a payout that the bank refused: it is payable again once all of it is back."""

UNKNOWN_THERE: Final = {NOTHING: "STARTED and stuck, order.stuck"}
"""What the provider said that it made, and knows no longer, is never made again."""

RIGHT: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("DEPOSIT", "new"): {NOTHING: f"PAID, CONFIRM, {CONFIRMED}"},
    ("DEPOSIT", "made, and that is not heard"): {NOTHING: f"PAID, CONFIRM, {CONFIRMED}"},
    ("DEPOSIT", "made"): WANTED,
    ("DEPOSIT", "waiting for the payer"): {
        **WANTED,
        ASKS: "STARTED",
        PENDING: "STARTED, deposit.action_taken",
    },
    ("DEPOSIT", "on its way"): WANTED,
    ("DEPOSIT", "paid"): CARRIED_OUT,
    ("DEPOSIT", "failed"): {said: f"FAILED{then}" for said, then in NOBODY_WAITS.items()},
    ("DEPOSIT", "given up"): {said: f"ABANDONED{then}" for said, then in NOBODY_WAITS.items()},
    ("REFUND", "new"): {NOTHING: "PAID, REFUND, refund.paid"},
    ("REFUND", "asked for, and that is lost"): REFUND_ASKED,
    ("REFUND", "on its way"): REFUND_ASKED | UNKNOWN_THERE,
    ("REFUND", "paid"): {
        NOTHING: "PAID",
        PENDING: "PAID",
        SUCCEEDED: "PAID",
        ANOTHER_SUM: "PAID and stuck, order.stuck",
        FAILED: "FAILED, refund.failed | PAID, REFUND, refund.failed, refund.paid",
    },
    ("REFUND", "failed"): {
        NOTHING: "PAID, REFUND, refund.paid",
        PENDING: "FAILED",
        SUCCEEDED: "PAID, refund.paid",
        ANOTHER_SUM: "FAILED and stuck, order.stuck",
        FAILED: "FAILED | PAID, REFUND, refund.paid",
    },
    ("REFUND", "stuck"): {
        NOTHING: "STARTED and stuck",
        PENDING: "STARTED and stuck",
        SUCCEEDED: "PAID, refund.paid",
        ANOTHER_SUM: "STARTED and stuck",
        FAILED: "FAILED, refund.failed | PAID, REFUND, refund.failed, refund.paid",
    },
    ("REFUND", "said to be paid by a person"): {
        NOTHING: "PAID",
        PENDING: "PAID",
        SUCCEEDED: "PAID",
        ANOTHER_SUM: "PAID and stuck, order.stuck",
        FAILED: "PAID and stuck, order.stuck",
    },
    ("PAYOUT", "new"): {NOTHING: "PAID, TRANSFER, PAYOUT, payout.paid"},
    ("PAYOUT", "its transfer asked for, and that is lost"): TRANSFER_ASKED,
    ("PAYOUT", "its transfer on its way"): TRANSFER_ASKED | UNKNOWN_THERE,
    ("PAYOUT", "transferred, and the rest is lost"): PAYOUT_ASKED,
    ("PAYOUT", "on its way"): PAYOUT_ASKED | UNKNOWN_THERE,
    ("PAYOUT", "its take-back asked for, and that is lost"): TAKE_BACK_ASKED,
    ("PAYOUT", "its take-back on its way"): TAKE_BACK_ASKED | UNKNOWN_THERE,
    ("PAYOUT", "paid"): {
        NOTHING: "PAID",
        PENDING: "PAID",
        SUCCEEDED: "PAID",
        ANOTHER_SUM: "PAID and stuck, order.stuck",
        FAILED: "FAILED, TAKE_BACK, payout.failed",
    },
    ("PAYOUT", "failed"): {
        NOTHING: "FAILED",
        PENDING: "FAILED",
        SUCCEEDED: "PAID, payout.paid",
        ANOTHER_SUM: "FAILED and stuck, order.stuck",
        FAILED: "FAILED",
    },
    ("PAYOUT", "stuck"): {
        NOTHING: "STARTED and stuck",
        PENDING: "STARTED and stuck",
        SUCCEEDED: "PAID, payout.paid",
        ANOTHER_SUM: "STARTED and stuck",
        FAILED: "FAILED, TAKE_BACK, payout.failed",
    },
    ("PAYOUT", "its transfer stuck"): {
        NOTHING: "STARTED and stuck",
        PENDING: "STARTED and stuck",
        SUCCEEDED: "PAID, PAYOUT, payout.paid",
        ANOTHER_SUM: "STARTED and stuck",
        FAILED: "FAILED, payout.failed",
    },
    ("PAYOUT", "said to be paid by a person, its transfer unheard of"): {
        NOTHING: "PAID",
        PENDING: "PAID",
        SUCCEEDED: "PAID",
        ANOTHER_SUM: "PAID and stuck, order.stuck",
        FAILED: "PAID and stuck, order.stuck",
    },
}

ATTENTION: Final = 3
"""How often an order is looked at after the notice, until nothing changes any more; once more where an answer is lost."""


@dataclass
class Oracle(Sandbox):
    """A provider that says what it is told to say, carries out what it is asked, and from then on says that it did."""

    answers: list[str] = field(default_factory=list)
    """To the next calls that move money: what it says, or `call lost`; `charge lost` if it isn't even made. Else they succeed."""
    says: dict[str, str] = field(default_factory=dict)
    """By what look-ups ask about: a charge, or a key."""
    asked: list[str] = field(default_factory=list)
    forgets: bool = False
    loses: bool = False
    """Whether the next answer is lost, whatever it is."""

    def __post_init__(self) -> None:
        super().__init__()

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        self._reach("charge lost")
        name = f"ch_{request.order_id}"
        self.says.setdefault(name, PREPARED)
        return self._told(Prepared(name))

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        return self._answer(Step.CONFIRM, provider_id, request, provider_id)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        self.asked.append("CANCEL")
        self.says[provider_id] = FAILED
        return self._told(Failed("cancelled", provider_id))

    async def refund(self, request: RefundRequest) -> Answer:
        return self._answer(Step.REFUND, request.key, request, f"re_{request.key}")

    async def transfer(self, request: TransferRequest) -> Answer:
        return self._answer(Step.TRANSFER, request.key, request, f"tr_{request.key}")

    async def payout(self, request: PayoutRequest) -> Answer:
        return self._answer(Step.PAYOUT, request.key, request, f"po_{request.key}")

    async def take_back(self, request: TakeBackRequest) -> Answer:
        return self._answer(Step.TAKE_BACK, request.key, request, f"tb_{request.key}")

    async def look_up(self, sought: Sought) -> Found:
        about = sought.key if sought.step is not Step.CONFIRM else sought.provider_id or ""
        return self._told(found_as(self.says.get(about, NOTHING), sought.amount, sought.provider_id or f"it_{about}"))

    def _answer(self, step: Step, about: str, request: Request, provider_id: str) -> Answer:
        """A key that is remembered says what it said before; else the call is carried out."""
        self._reach("call lost")
        known = self.says.get(about, NOTHING)
        is_forgotten = self.forgets and step is not Step.CONFIRM
        if is_forgotten or known in (NOTHING, PREPARED, ASKS):
            self.asked.append(step.value)
            self.says[about] = self.answers.pop(0) if self.answers else SUCCEEDED
        found = self._told(found_as(self.says[about], request.amount, provider_id))
        assert not isinstance(found, Unknown | Prepared | Reversed)
        return found

    def _reach(self, lost: str) -> None:
        if self.answers[:1] == [lost]:
            self.answers.pop(0)
            raise ProviderError("nobody there")

    def _told(self, found: F) -> F:
        if self.loses:
            self.loses = False
            raise ProviderError("the connection broke")
        return found


def found_as(said: str, amount: Money, provider_id: str) -> Found:
    """What an adapter makes of it."""
    charge = Succeeded(amount, provider_id)
    stages = {
        TAKEN_BACK: ReversalStage.OPEN,
        WON: ReversalStage.WON,
        WITHDRAWN: ReversalStage.WITHDRAWN,
        LOST: ReversalStage.LOST,
    }
    plain: dict[str, Found] = {
        NOTHING: Unknown(),
        PREPARED: Prepared(provider_id),
        ASKS: NeedsAction(provider_id, PayerAction(kind=ActionKind.REDIRECT, url="https://bank.example/3ds")),
        PENDING: Pending(provider_id),
        SUCCEEDED: charge,
        ANOTHER_SUM: Succeeded(Money(amount.minor + 1, amount.currency), provider_id),
        FAILED: Failed("declined", provider_id),
    }
    if said in plain:
        return plain[said]
    return Reversed(charge, Reversal(stage=stages[said], amount=amount, provider_id="du_1", reason="not me"))


@dataclass(frozen=True)
class Row:
    """One cell, with its two conditions."""

    kind: str
    state: str
    said: str
    is_lost: bool
    is_forgotten: bool

    def __str__(self) -> str:
        lost, forgotten = ("no answer is lost", "an answer is lost"), ("its key is known", "its key is forgotten")
        told = f"a {self.kind.lower()} that is {self.state}; the provider {self.said}"
        return f"{told}; {lost[self.is_lost]}, {forgotten[self.is_forgotten]}"

    @property
    def right(self) -> str:
        known, _, forgotten = RIGHT[self.kind, self.state][self.said].partition(" | ")
        return forgotten if forgotten and self.is_forgotten else known


def rows(kind: str) -> Iterator[Row]:
    for (of, state), cells in RIGHT.items():
        for said in cells if of == kind else ():
            for lost in (False, True):
                for forgotten in (False, True):
                    yield Row(of, state, said, lost, forgotten)


# -- how an order comes into its state ------------------------------------------------------------------------------------------


async def deposit(deal: Deal, provider: Oracle, *answers: str, given_up: bool = False) -> str:
    """One that was attended to once, if the provider was to answer."""
    order_id = await deal.fund()
    await answered(order_id, provider, *answers)
    if given_up:
        await deal.cancel()
    return order_id


async def refund(deal: Deal, provider: Oracle, *answers: str) -> str:
    await deal.contract.confirm(await deal.contract.fund())
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    found = await fetch_value("SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND'", deal.id)
    return await paid_by(deal, str(found), provider, *answers)


async def payout(deal: Deal, provider: Oracle, *answers: str) -> str:
    await deal.contract.confirm(await deal.contract.fund())
    await deal.approve()
    return await paid_by(deal, await deal.request_payout(), provider, *answers)


async def paid_by(deal: Deal, order_id: str, provider: Oracle, *answers: str) -> str:
    await fetch("UPDATE payment_orders SET due_at = NULL WHERE contract_id = $1 AND kind = 'DEPOSIT'", deal.id)
    await answered(order_id, provider, *answers)
    return order_id


async def answered(order_id: str, provider: Oracle, *answers: str) -> None:
    provider.answers = list(answers)
    if answers:
        await attend(order_id, provider)
    assert provider.answers == [], "so many calls were made"


async def stuck(deal: Deal, provider: Oracle, asked: Callable[..., Awaitable[str]]) -> str:
    """A refund or a payout whose call was lost, and whose key may be forgotten."""
    order_id = await asked(deal, provider, "call lost")
    await age_calls(order_id, "25 hours")
    await attend(order_id, provider)
    return order_id


async def said_to_be_paid(deal: Deal, provider: Oracle, asked: Callable[..., Awaitable[str]]) -> str:
    order_id = await stuck(deal, provider, asked)
    await attend(order_id, provider)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.PAID), by=deal.deployment.operator)
    return order_id


SETTING: Final[dict[tuple[str, str], Callable[[Deal, Oracle], Awaitable[str]]]] = {
    ("DEPOSIT", "new"): lambda deal, provider: deposit(deal, provider),
    ("DEPOSIT", "made, and that is not heard"): lambda deal, provider: deposit(deal, provider, "charge lost"),
    ("DEPOSIT", "made"): lambda deal, provider: deposit(deal, provider, "call lost"),
    ("DEPOSIT", "waiting for the payer"): lambda deal, provider: deposit(deal, provider, ASKS),
    ("DEPOSIT", "on its way"): lambda deal, provider: deposit(deal, provider, PENDING),
    ("DEPOSIT", "paid"): lambda deal, provider: deposit(deal, provider, SUCCEEDED),
    ("DEPOSIT", "failed"): lambda deal, provider: deposit(deal, provider, FAILED),
    ("DEPOSIT", "given up"): lambda deal, provider: deposit(deal, provider, PENDING, given_up=True),
    ("REFUND", "new"): lambda deal, provider: refund(deal, provider),
    ("REFUND", "asked for, and that is lost"): lambda deal, provider: refund(deal, provider, "call lost"),
    ("REFUND", "on its way"): lambda deal, provider: refund(deal, provider, PENDING),
    ("REFUND", "paid"): lambda deal, provider: refund(deal, provider, SUCCEEDED),
    ("REFUND", "failed"): lambda deal, provider: refund(deal, provider, FAILED),
    ("REFUND", "stuck"): lambda deal, provider: refund(deal, provider, ANOTHER_SUM),
    ("REFUND", "said to be paid by a person"): lambda deal, provider: said_to_be_paid(deal, provider, refund),
    ("PAYOUT", "new"): lambda deal, provider: payout(deal, provider),
    ("PAYOUT", "its transfer asked for, and that is lost"): lambda deal, provider: payout(deal, provider, "call lost"),
    ("PAYOUT", "its transfer on its way"): lambda deal, provider: payout(deal, provider, PENDING),
    ("PAYOUT", "transferred, and the rest is lost"): lambda deal, provider: payout(
        deal, provider, SUCCEEDED, "call lost"
    ),
    ("PAYOUT", "on its way"): lambda deal, provider: payout(deal, provider, SUCCEEDED, PENDING),
    ("PAYOUT", "its take-back asked for, and that is lost"): lambda deal, provider: payout(
        deal, provider, SUCCEEDED, FAILED, "call lost"
    ),
    ("PAYOUT", "its take-back on its way"): lambda deal, provider: payout(deal, provider, SUCCEEDED, FAILED, PENDING),
    ("PAYOUT", "paid"): lambda deal, provider: payout(deal, provider, SUCCEEDED, SUCCEEDED),
    ("PAYOUT", "failed"): lambda deal, provider: payout(deal, provider, SUCCEEDED, FAILED, SUCCEEDED),
    ("PAYOUT", "stuck"): lambda deal, provider: payout(deal, provider, SUCCEEDED, ANOTHER_SUM),
    ("PAYOUT", "its transfer stuck"): lambda deal, provider: stuck(deal, provider, payout),
    ("PAYOUT", "said to be paid by a person, its transfer unheard of"): lambda deal, provider: said_to_be_paid(
        deal, provider, payout
    ),
}


# -- the table ------------------------------------------------------------------------------------------------------------------


async def attend(order_id: str, provider: Oracle, hints: tuple[Hint, ...] = ()) -> None:
    """A worker's turn, when the order's time has come, or by notices alone."""
    await (put_off if hints else make_due)(order_id)
    await orders.nudge(hints)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, provider)


def subject(row: Row, order_id: str) -> str | None:
    """What the provider is asked about: by the charge's name or by the first key; nothing if it can't know of the order."""
    if row.state == "new":
        return None
    if row.kind == "DEPOSIT":
        return f"ch_{order_id}"
    named = {"its transfer": Step.TRANSFER, "its take-back": Step.TAKE_BACK}
    step = next((step for words, step in named.items() if words in row.state), Step.PAYOUT)
    return key_of(order_id, 1, Step.REFUND if row.kind == "REFUND" else step)


async def what_comes_of(row: Row, deal: Deal) -> str:
    """The cell as it is played."""
    provider = Oracle()
    order_id = await SETTING[row.kind, row.state](deal, provider)
    told = await told_of(deal)
    provider.asked, provider.answers = [], []
    about = subject(row, order_id)
    if about is not None and row.said != NOTHING:
        provider.says[about] = row.said
    elif about is not None:
        provider.says.pop(about, None)
    if row.is_forgotten:
        provider.forgets = True
        await age_calls(order_id, "25 hours")
    provider.loses = row.is_lost
    for _ in range(ATTENTION + row.is_lost):
        await attend(order_id, provider, (Hint(order_id=order_id),))
    found = await order(order_id)
    assert found["lease_token"] is None
    assert not provider.loses, "something was asked"
    await fetch("UPDATE payment_orders SET due_at = NULL WHERE contract_id = $1", deal.id)
    stands = f"{found['state']}{' and stuck' if found['is_stuck'] else ''}"
    return ", ".join([stands, *provider.asked, *(await told_of(deal))[len(told) :]])


async def told_of(deal: Deal) -> list[str]:
    """What the log tells of money on its way."""
    return [
        each for each in await deal.contract.types() if each.startswith(("deposit.", "refund.", "payout.", "order."))
    ]


def test_every_state_has_a_setting_and_a_row() -> None:
    assert SETTING.keys() == RIGHT.keys()
    everything = {PREPARED, ASKS, NOTHING, PENDING, SUCCEEDED, ANOTHER_SUM, FAILED, TAKEN_BACK, WON, WITHDRAWN, LOST}
    of_money_out = {NOTHING, PENDING, SUCCEEDED, ANOTHER_SUM, FAILED}
    for (kind, state), cells in RIGHT.items():
        unheard_of = state in ("new", "made, and that is not heard")
        expected = {NOTHING} if unheard_of else everything if kind == "DEPOSIT" else of_money_out
        assert cells.keys() == expected, (kind, state)


@pytest.mark.parametrize("kind", ["DEPOSIT", "REFUND", "PAYOUT"])
async def test_there_is_one_right_outcome(kind: str) -> None:
    first = await strike("1.00")
    wrong = []
    for row in rows(kind):
        came = await what_comes_of(row, await first.another("100.00", "50.00"))
        if came != row.right:
            wrong.append(f"{row}:\n  {came}, not {row.right}")
    assert wrong == []
    assert [difference async for difference in audit()] == []


@pytest.mark.parametrize("kind", ["REFUND", "PAYOUT"])
@pytest.mark.parametrize("outcome", list(OrderOutcome))
async def test_a_person_whose_word_the_provider_denies_is_asked_once_more_and_then_believed(
    kind: str, outcome: OrderOutcome
) -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await said_to_be_paid(deal, provider, refund if kind == "REFUND" else payout)
    provider.says[key_of(order_id, 1, Step.REFUND if kind == "REFUND" else Step.TRANSFER)] = FAILED
    for _ in range(3):
        await attend(order_id, provider, (Hint(order_id=order_id),))
    assert (await order(order_id))["is_stuck"]
    assert (await order(order_id))["explanation"] == "declined"
    assert await deal.balance("payable") == 0, "nothing of it is payable a second time"
    await run(c.ResolveOrder(order_id=order_id, outcome=outcome), by=deal.deployment.operator)
    provider.asked = []
    for _ in range(3):
        await attend(order_id, provider, (Hint(order_id=order_id),))
    found, failed = await order(order_id), f"{kind.lower()}.failed"
    if outcome is OrderOutcome.PAID:
        assert (found["state"], found["is_stuck"], provider.asked) == ("PAID", False, [])
        assert await deal.events("order.stuck", failed) == ["order.stuck"] * 2
    else:
        assert await deal.events("order.stuck", failed) == ["order.stuck", "order.stuck", failed]
    assert [difference async for difference in audit()] == []


async def test_what_was_asked_before_a_person_said_that_it_was_paid_says_nothing_against_them() -> None:
    """A worker hears of the failure while the operator writes."""
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await stuck(deal, provider, payout)
    provider.says[key_of(order_id, 1, Step.TRANSFER)] = FAILED
    await make_due(order_id)
    (claimed,) = await orders.claim(10)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.PAID), by=deal.deployment.operator)
    assert await orders.attend(claimed, provider)
    assert (await order(order_id))["state"] == "PAID"
    assert await deal.events("payout.paid", "payout.failed") == ["payout.paid"]
