"""Holds what every story of the demo is made of: two parties with keys of their own, and the usual things that they do.

All of it goes through the GraphQL API; the events are followed as a partner would follow them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from earnest.api_client import Api, Refused
from earnest.demo.timeline import Arrived, Event, Timeline

CURRENCY: Final = "USD"

Say = Callable[[str], None]


def milestone(title: str, purpose: str, amount: str, *, weeks: int, deliverables: tuple[str, ...]) -> dict[str, Any]:
    """A milestone as the API takes it, due some weeks from now."""
    return {
        "title": title,
        "purpose": purpose,
        "amount": money(amount),
        "dueOn": due_in(weeks=weeks),
        "deliverables": list(deliverables),
    }


def due_in(*, weeks: int) -> str:
    """A due date some weeks from now."""
    return (datetime.now(UTC) + timedelta(weeks=weeks)).date().isoformat()


def money(amount: str) -> dict[str, str]:
    """An amount as the API takes it."""
    return {"amount": amount, "currency": CURRENCY}


class Story(ABC):
    """One run of a story between a client and a freelancer. `say` tells it, `show` gets each event.

    `operator` moves the test clock, `mediator` decides disputes; not every story needs them. `arrived` waits until the partner
    got an event, which is shown then.
    """

    def __init__(
        self,
        *,
        client: Api,
        freelancer: Api,
        say: Say,
        show: Callable[[Event], None],
        operator: Api | None = None,
        mediator: Api | None = None,
        arrived: Arrived | None = None,
    ) -> None:
        self.client = client
        self.freelancer = freelancer
        self.say = say
        self.show = show
        self.arrived = arrived
        self.contract_id = ""
        self._operator = operator
        self._mediator = mediator
        self._followed: Timeline | None = None

    def follow(self, contract_id: str) -> None:
        """Take up the story of this contract."""
        self.contract_id = contract_id
        self._followed = Timeline(self.client, contract_id, self.show, arrived=self.arrived)

    @property
    def timeline(self) -> Timeline:
        if self._followed is None:
            raise ValueError("there is no contract to follow yet")
        return self._followed

    @property
    def operator(self) -> Api:
        if self._operator is None:
            raise ValueError("only the operator moves the test clock")
        return self._operator

    @property
    def mediator(self) -> Api:
        if self._mediator is None:
            raise ValueError("only a mediator decides")
        return self._mediator

    async def propose(self, by: Api, **terms: object) -> None:
        """Put a contract on the table and follow it."""
        payload = await by.do("proposeContract", "contract { id }", currency=CURRENCY, **terms)
        self.follow(payload["contract"]["id"])
        await self.timeline.catch_up()

    async def act(self, who: Api, mutation: str, **given: object) -> None:
        """Do something, and show what came of it."""
        await who.do(mutation, "contract { id }", **given)
        await self.timeline.catch_up()

    async def make(self, who: Api, mutation: str, answer: str, **given: object) -> str:
        """Do something that makes an object, and show what came of it; gives the object's identifier."""
        payload = await who.do(mutation, f"{answer} {{ id }}", **given)
        await self.timeline.catch_up()
        return str(payload[answer]["id"])

    async def refused(self, who: Api, mutation: str, code: str, **given: object) -> None:
        """Try what is refused with this code, and show what it brought about all the same."""
        try:
            await who.do(mutation, "contract { id }", **given)
        except Refused as refusal:
            if refusal.code != code:
                raise
        else:
            raise ValueError(f"{mutation} was to be refused")
        await self.timeline.catch_up()

    @abstractmethod
    async def tell(self, client_id: str, freelancer_id: str) -> None:
        """From beginning to end, on a contract of its own between these two."""

    async def milestone(self, position: int) -> str:
        document = "query Plan($id: ID!) { contract(id: $id) { milestones { id position } } }"
        data = await self.client.ask(document, id=self.contract_id)
        return next(str(each["id"]) for each in data["contract"]["milestones"] if each["position"] == position)

    async def fund(self, milestone_id: str, *, token: str = "tok_ok") -> None:  # noqa: S107 - a test token of the sandbox
        await self.act(self.client, "fundMilestone", milestoneId=milestone_id, paymentToken=token)

    async def start(self, milestone_id: str) -> None:
        """Pay for a milestone whose turn it is, and wait until work on it starts."""
        await self.fund(milestone_id)
        await self.timeline.until("milestone.activated", milestone_id)

    async def submit(self, milestone_id: str, message: str, link: str) -> None:
        await self.act(self.freelancer, "submitMilestone", milestoneId=milestone_id, message=message, links=[link])

    async def approve(self, milestone_id: str, message: str) -> None:
        await self.act(self.client, "approveMilestone", milestoneId=milestone_id, message=message)
        await self.timeline.until("milestone.released", milestone_id)

    async def pay_out(self) -> None:
        await self.act(self.freelancer, "requestPayout", contractId=self.contract_id)
        await self.timeline.until("payout.paid")

    async def pass_days(self, days: int) -> None:
        """Nobody says anything for so long; the test clock makes it a moment."""
        way = await self.operator.do("advanceTestClock", "to hasMore", by=f"P{days}D")
        while way["hasMore"]:
            way = await self.operator.do("advanceTestClock", "to hasMore", to=way["to"])
        await self.timeline.catch_up()
