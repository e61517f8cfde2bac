"""Makes a contract of the sandbox do what an event tells of: `WAYS` has the steps to each event that can be made there.

Every contract is a new one between the demo's people, and all goes by the public API; `WITHOUT_A_WAY` says of the other events
of contracts why not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from earnest.api_client import Api
from earnest.demo.story import Story, due_in, milestone, money
from earnest.run.refusing import CannotStart

PRICE: Final = "200.00"
FAILING: Final = "140.01"
"""By its last four digits the sandbox fails refunds and payouts of this sum."""

CENT: Final = Decimal("0.01")

HOURS: Final = 48
"""The shortest windows for answers and reviews: where silence is played, the test clock moves for all contracts."""
DAYS: Final = 2
DORMANT_DAYS: Final = 181
UNDER_WAY_SECONDS: Final = (0.5, 2.0, 5.0)
SLOW_SECONDS: Final = 20.0
"""Twice as long as the sandbox takes for a slow payment."""

_WINDOWS: Final = dict.fromkeys(
    ("offerHours", "reviewHours", "refundAnswerHours", "disputeAnswerHours", "mediationHours"), HOURS
)


class Scene(Story):
    """A contract of two milestones on its way to an event."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        """Put it on the table; steps do the rest."""
        await self.propose(
            self.client,
            clientId=client_id,
            freelancerId=freelancer_id,
            title="Made by earnest trigger",
            windows=_WINDOWS,
            milestones=_plan(PRICE),
        )

    def party(self, who: str) -> Api:
        """Somebody by role."""
        found: Api = getattr(self, who)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does, or that happens."""

    does: Callable[[Scene], Awaitable[object]]
    moves_clock: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """The steps from a proposal to an event."""

    steps: tuple[Step, ...]

    @property
    def moves_clock(self) -> bool:
        """Whether time has to pass, which it does for every contract of the deployment."""
        return any(step.moves_clock for step in self.steps)

    async def go(self, scene: Scene, client_id: str, freelancer_id: str, event: str) -> str:
        """From the proposal until the event has come; answers with the contract's id."""
        await scene.tell(client_id, freelancer_id)
        for step in self.steps:
            await step.does(scene)
        await scene.timeline.until(event)
        return scene.contract_id


_Answer: TypeAlias = tuple[str, str, Mapping[str, object]]
"""Who answers what was asked, by which mutation, and with what besides."""


def _plan(price: str) -> list[dict[str, Any]]:
    return [
        milestone("Sketches", "A direction is chosen", price, weeks=60, deliverables=("Twelve sketches",)),
        milestone("Drafts", "The chosen one is drawn", "500.00", weeks=70, deliverables=("Three drafts",)),
    ]


def _contract(who: str, mutation: str, **given: object) -> Step:
    """Somebody does something with the contract."""
    return Step(lambda scene: scene.act(scene.party(who), mutation, contractId=scene.contract_id, **given))


def _milestone(number: int, who: str, mutation: str, **given: object) -> Step:
    """Somebody does something with a milestone."""

    async def does(scene: Scene) -> None:
        milestone_id = await scene.milestone(number)
        await scene.party(who).do(mutation, "__typename", milestoneId=milestone_id, **given)

    return Step(does)


def _paid(token: str = "tok_ok") -> Step:  # noqa: S107 - a test token of the sandbox
    """The client pays for the first milestone."""
    return _milestone(1, "client", "fundMilestone", paymentToken=token)


def _taken_back() -> Step:
    """The client pays slowly, and takes it back while it is on its way.

    Nobody sees whether a worker has called the provider by then, without which nothing is on its way: so it is done again, with
    a longer pause.
    """

    async def does(scene: Scene) -> None:
        for pause_seconds in UNDER_WAY_SECONDS:
            await _paid("tok_slow").does(scene)
            await asyncio.sleep(pause_seconds)
            await _milestone(1, "client", "cancelFunding").does(scene)
            if await scene.timeline.comes("deposit.returned", seconds=SLOW_SECONDS):
                return

    return Step(does)


def _happened(event: str) -> Step:
    """Wait for what others bring about: the provider, or a worker."""
    return Step(lambda scene: scene.timeline.until(event))


def _silence(days: int) -> Step:
    """Nobody says anything for so long."""
    return Step(lambda scene: scene.pass_days(days), moves_clock=True)


def _asked(
    who: str, mutation: str, name: str, given: Callable[[Scene], Awaitable[Mapping[str, object]]]
) -> Callable[..., Step]:
    """A step that makes something which others answer; it takes the answers: who, by which mutation, with what."""

    def step(*answers: _Answer) -> Step:
        async def does(scene: Scene) -> None:
            made = await scene.make(scene.party(who), mutation, name, **await given(scene))
            for answerer, answer, more in answers:
                await scene.party(answerer).do(answer, "__typename", **{_ID_OF[name]: made}, **more)

        return Step(does)

    return step


_ID_OF: Final = {"changeRequest": "changeRequestId", "refundRequest": "refundId", "dispute": "disputeId"}


async def _all_of_it(scene: Scene) -> Mapping[str, object]:
    return {"milestoneId": await scene.milestone(1), "message": "It is too late."}


async def _most_of_it(scene: Scene) -> Mapping[str, object]:
    return {"milestoneId": await scene.milestone(1), "claim": money("150.00"), "reason": "Most of it is done."}


async def _more_money(scene: Scene) -> Mapping[str, object]:
    change = {"edit": {"milestoneId": await scene.milestone(2), "amount": money("600.00")}}
    return {"contractId": scene.contract_id, "message": "The drafts take longer.", "changes": [change]}


async def _more_time(scene: Scene) -> Mapping[str, object]:
    change = {"amend": {"milestoneId": await scene.milestone(1), "dueOn": due_in(weeks=62)}}
    return {"contractId": scene.contract_id, "message": "Two weeks more, please.", "changes": [change]}


async def _counter_offer(scene: Scene, price: str = "250.00") -> None:
    plan = _plan(price)
    await scene.act(
        scene.freelancer, "reviseContract", contractId=scene.contract_id, milestones=plan, message="Rather so."
    )


async def _counter_offer_to_fail(scene: Scene) -> None:
    """A price that makes, with the client's fee on it, a sum that the sandbox fails to give back."""
    data = await scene.client.ask(
        "query Fees($id: ID!) { contract(id: $id) { fees { clientBasisPoints } } }", id=scene.contract_id
    )
    whole, share = Decimal(FAILING), Decimal(data["contract"]["fees"]["clientBasisPoints"]) / 10_000
    price = (whole / (1 + share)).quantize(CENT, ROUND_UP)
    await _counter_offer(scene, str(price))


_asked_back = _asked("client", "requestRefund", "refundRequest", _all_of_it)
_disputed = _asked("freelancer", "openDispute", "dispute", _most_of_it)
_asked_for_money = _asked("freelancer", "fileChangeRequest", "changeRequest", _more_money)
_asked_for_time = _asked("freelancer", "fileChangeRequest", "changeRequest", _more_time)

_accepted: Final = (_contract("freelancer", "acceptContract", revision=1),)
_active: Final = (*_accepted, _paid(), _happened("milestone.activated"))
_submit: Final = _milestone(1, "freelancer", "submitMilestone", message="Twelve sketches.")
_submitted: Final = (*_active, _submit)
_approved: Final = (*_submitted, _milestone(1, "client", "approveMilestone", message="Thank you."))
_bonus: Final = {"bonus": money("20.00"), "message": "Splendid."}
_half: Final = money("100.00")
_rejected: Final[_Answer] = ("client", "rejectClaim", {})
_offered: Final[_Answer] = ("client", "offerSettlement", {"toFreelancer": _half})


def _approved_with(**given: object) -> tuple[Step, ...]:
    return (*_submitted, _milestone(1, "client", "approveMilestone", **given))


WAYS: Final[Mapping[str, Way]] = {
    "contract.proposed": Way(()),
    "contract.revised": Way((Step(_counter_offer),)),
    "contract.accepted": Way(_accepted),
    "contract.declined": Way((_contract("freelancer", "declineContract"),)),
    "contract.withdrawn": Way((_contract("client", "withdrawContract"),)),
    "contract.expired": Way((_silence(DAYS),)),
    "contract.end_requested": Way((*_active, _contract("client", "endContract"))),
    "contract.end_withdrawn": Way((*_active, _contract("client", "endContract"), _contract("client", "withdrawEnd"))),
    "contract.ended": Way((*_accepted, _contract("client", "endContract"))),
    "contract.completed": Way(
        (*_approved, _milestone(2, "client", "removeMilestone"), _contract("freelancer", "requestPayout"))
    ),
    "contract.dormant": Way((*_active, _silence(DORMANT_DAYS))),
    "milestone.added": Way(()),
    "milestone.edited": Way((*_accepted, _milestone(2, "client", "editMilestone", amount=money("450.00")))),
    "milestone.moved": Way((*_accepted, _milestone(2, "client", "moveMilestone", position=1))),
    "milestone.removed": Way((*_accepted, _milestone(2, "client", "removeMilestone"))),
    "milestone.amended": Way((*_active, _asked_for_time(("client", "acceptChangeRequest", {})))),
    "milestone.cancelled": Way((_contract("client", "withdrawContract"),)),
    "milestone.funded": Way((*_accepted, _paid())),
    "milestone.activated": Way((*_accepted, _paid())),
    "milestone.submitted": Way(_submitted),
    "milestone.changes_requested": Way((*_submitted, _milestone(1, "client", "requestChanges", note="Once more."))),
    "milestone.deadline_approaching": Way((*_submitted, _silence(DAYS))),
    "milestone.released": Way(_approved),
    "milestone.rolled_forward": Way(
        (
            *_submitted,
            _milestone(2, "client", "fundMilestone"),
            _happened("milestone.funded"),
            _milestone(1, "client", "approveMilestone", amount=money("150.00")),
        )
    ),
    "milestone.partly_refunded": Way((*_active, _milestone(1, "freelancer", "giveRefund", amount=money("50.00")))),
    "milestone.refunded": Way((*_active, _milestone(1, "freelancer", "giveRefund"))),
    "milestone.settled": Way(
        (*_active, _disputed(_offered, ("freelancer", "acceptSettlement", {"toFreelancer": _half})))
    ),
    "deposit.started": Way((*_accepted, _paid())),
    "deposit.confirmed": Way((*_accepted, _paid())),
    "deposit.failed": Way((*_accepted, _paid("tok_fail"))),
    "deposit.action_required": Way((*_accepted, _paid("tok_action"))),
    "deposit.abandoned": Way((*_accepted, _paid("tok_never"), _milestone(1, "client", "cancelFunding"))),
    "deposit.returned": Way((*_accepted, _taken_back())),
    "deposit.reversed": Way((*_accepted, _paid("tok_reverse"))),
    "deposit.reversal_resolved": Way((*_accepted, _paid("tok_reverse_won"))),
    "deposit.reinstated": Way((*_accepted, _paid("tok_reverse_won"))),
    "bonus.started": Way(_approved_with(**_bonus)),
    "bonus.paid": Way(_approved_with(**_bonus)),
    "bonus.failed": Way(_approved_with(**_bonus, paymentToken="tok_fail")),
    "change_request.filed": Way((*_accepted, _asked_for_money())),
    "change_request.accepted": Way((*_accepted, _asked_for_money(("client", "acceptChangeRequest", {})))),
    "change_request.declined": Way((*_accepted, _asked_for_money(("client", "declineChangeRequest", {})))),
    "change_request.withdrawn": Way((*_accepted, _asked_for_money(("freelancer", "withdrawChangeRequest", {})))),
    "change_request.stale": Way((*_accepted, _asked_for_money(), _contract("client", "endContract"))),
    "update.posted": Way((_contract("freelancer", "postUpdate", message="The first six are done."),)),
    "refund.requested": Way((*_active, _asked_back())),
    "refund.request_withdrawn": Way((*_active, _asked_back(("client", "withdrawRefund", {})))),
    "refund.accepted": Way((*_active, _asked_back(("freelancer", "acceptRefund", {})))),
    "refund.declined": Way((*_active, _asked_back(("freelancer", "declineRefund", {"reason": "It is done."})))),
    "refund.paid": Way((*_active, _milestone(1, "freelancer", "giveRefund"))),
    "refund.failed": Way(
        (
            Step(_counter_offer_to_fail),
            _contract("client", "acceptContract", revision=2),
            _paid(),
            _happened("milestone.activated"),
            _milestone(1, "freelancer", "giveRefund"),
        )
    ),
    "dispute.opened": Way((*_active, _disputed())),
    "dispute.evidence_added": Way(
        (*_active, _disputed(("freelancer", "addEvidence", {"text": "Nine of twelve are done."})))
    ),
    "dispute.claim_accepted": Way((*_active, _disputed(("client", "acceptClaim", {})))),
    "dispute.rejected": Way((*_active, _disputed(_rejected))),
    "dispute.mediation_started": Way((*_active, _disputed(_rejected))),
    "dispute.overdue": Way((*_active, _disputed(_rejected), _silence(DAYS))),
    "dispute.settlement_offered": Way((*_active, _disputed(_offered))),
    "dispute.settlement_withdrawn": Way((*_active, _disputed(_offered, ("client", "withdrawSettlement", {})))),
    "dispute.resolved": Way(
        (
            *_active,
            _disputed(_rejected, ("mediator", "decideDispute", {"toFreelancer": _half, "reason": "Half of it came."})),
        )
    ),
    "dispute.withdrawn": Way((*_active, _disputed(("freelancer", "withdrawDispute", {})))),
    "dispute.withdrawal_agreed": Way((*_active, _disputed(_rejected, ("client", "withdrawDispute", {})))),
    "payout.started": Way((*_approved, _contract("freelancer", "requestPayout"))),
    "payout.paid": Way((*_approved, _contract("freelancer", "requestPayout"))),
    "payout.failed": Way((*_approved, _contract("freelancer", "requestPayout", amount=money(FAILING)))),
    "payouts.changed": Way((*_accepted, _contract("freelancer", "setPayouts", automatic=True))),
}
"""By the type of the event."""

WITHOUT_A_WAY: Final[Mapping[str, str]] = {
    "milestone.partly_released": "it is no longer written; milestone.released says so now",
    "milestone.unfunded": "its money must be held no longer: set EARNEST_SANDBOX_HOLD_DAYS and move the test clock",
    "deposit.hold_ending": "the sandbox holds money for ever unless EARNEST_SANDBOX_HOLD_DAYS says otherwise",
    "deposit.action_taken": "in the sandbox the deposit succeeds in the moment in which the payer acts",
    "refund.overtaken": "the bank must take its charge back while a refund waits, which the sandbox does seconds after it came",
    "order.stuck": "the sandbox forgets keys a day later by the real clock, and an order is stuck only then",
    "order.resolved": "an order must be stuck before (order.stuck)",
    "cost.booked": "the sandbox costs nothing",
    "log.cut": "the server must be restored to an earlier moment (docs/operating/restoring.md)",
}


def way_to(event: str) -> Way:
    """The way to an event. Refuses with `CannotStart` one that can't be triggered, and says why."""
    way = WAYS.get(event)
    if way is None and event in WITHOUT_A_WAY:
        raise CannotStart(f"{event} can't be triggered: {WITHOUT_A_WAY[event]}")
    if way is None:
        near = ", ".join(get_close_matches(event, WAYS, n=3)) or "earnest trigger list"
        raise CannotStart(f"{event} can't be triggered; these can: {near}")
    return way
