"""What people do in the soak: they agree, talk, pay, hand in and approve, several at once on the same contract, and look at it.

Of each contract everything that was asked and answered is kept, with when: its history is judged in the end.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from escrow import ids
from escrow.access import Actor
from escrow.agreement import commands as c
from escrow.ids import Kind
from tests.soak.deployment.asking import Api, Outcome, Person, Unanswered
from tests.soak.deployment.linearizing import NEVER_ENDED, Operation
from tests.soak.deployment.specification import Commanded, Confirmed, Said, Seen

LOOK: Final = """query ($id: ID!) { contract(id: $id) {
    state version milestones { state } updates(first: 100) { nodes { message } }
} }"""
LIST: Final = "query { contracts(first: 20) { nodes { id state title milestones { state } } } }"

GIVES_UP: Final = 0.15
"""The share of lost answers after which somebody doesn't ask again."""
DOUBLES: Final = 0.03
"""The share of commands that come twice at once: two clicks."""
MEANS: Final = "pm_card_visa"
LOOK_AGAIN_SECONDS: Final = 0.3
MONEY_SECONDS_MAX: Final = 3_600.0
"""After so long money that hasn't come is lost: a soak that waited for it would never end."""
OFFER_HOURS: Final = 1
"""How long an offer stands that nobody answers, unless somebody says otherwise."""


def mutation(name: str, fields: str) -> str:
    """The document of a mutation that is safe to repeat."""
    kind = name[0].upper() + name[1:] + "Input"
    return (
        f"mutation ($input: {kind}!, $key: String!) {{ {name}(input: $input) @idempotent(key: $key) "
        f"{{ {fields} userErrors {{ code message }} }} }}"
    )


STANDS: Final = "contract { state version }"
PROPOSE: Final = mutation("proposeContract", "contract { id state version milestones { id } }")
APPROVE: Final = "approveMilestone"
FUND: Final = mutation("fundMilestone", f"depositId {STANDS}")


@dataclass(slots=True)
class Deal:
    """One contract, and all that was asked and answered about it."""

    id: str
    milestone_ids: Sequence[str]
    chance: random.Random
    """Decides what people do with it, whatever happens to other contracts."""
    offer_hours: int | None = None
    """How long its offer stands, which nobody answers, so that it ends by the clock; `None` if it is answered."""
    history: list[Operation[Said]] = field(default_factory=list)
    versions: list[tuple[float, float, int]] = field(default_factory=list)
    """When it was asked and answered, and which version the contract had."""
    said: dict[str, str] = field(default_factory=dict)
    """What became of each text that somebody wrote: `accepted`, `refused`, or `unknown`."""

    def saw(self, what: str, value: object, began: float, ended: float) -> None:
        self.history.append(Operation(Seen(what, value), began, ended))


@dataclass(slots=True)
class Crowd:
    """The two parties of all contracts of the soak, and what they have done."""

    api: Api
    client: Person
    freelancer: Person
    run: str
    """Names this run, so that a text is nobody else's."""
    seed: int
    deals: list[Deal] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)
    """What was answered, by what came of it."""
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    proposals: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def answered(self) -> int:
        """Commands that were answered."""
        return self.commands["accepted"] + self.commands["refused"]

    async def talk(self) -> None:
        """A proposal that both sides talk about while one accepts, turns down, or takes it back."""
        deal = await self._propose()
        chance = deal.chance.random()
        ends = ["accept", "decline"] if chance < 0.7 else ["accept", "withdraw"]
        await asyncio.gather(
            self._say(deal, self.client, 3),
            self._say(deal, self.freelancer, 2),
            *(self._end_of_proposal(deal, end) for end in ends if end == "accept" or chance > 0.5),
            self._look(deal, self.client, 2),
        )
        await self._look(deal, self.freelancer, 1)

    async def pay(self) -> None:
        """A contract of two milestones from the proposal to a payout, where both sides are at it at once."""
        deal = await self._propose()
        await self._do(deal, self.freelancer, "acceptContract", {"contractId": deal.id, "revision": 1}, persists=True)
        first, second = deal.milestone_ids
        await self._fund(deal, first)
        await self._until_active(deal, 0)
        await self._fund(deal, second)
        await self._work(deal, first)
        await self._until_active(deal, 1)
        await self._work(deal, second)
        await self._do(deal, self.freelancer, "requestPayout", {"contractId": deal.id}, persists=True)
        await self._look(deal, self.client, 1)

    async def wait(self, hours: int = OFFER_HOURS) -> None:
        """A proposal that nobody ever answers."""
        deal = await self._propose(hours=hours)
        deal.offer_hours = hours

    async def look_around(self) -> None:
        """Somebody reads lists."""
        await self.api.ask(self.api.chance.choice((self.client, self.freelancer)), LIST, {})
        self.commands["queries"] += 1

    async def _work(self, deal: Deal, milestone_id: str) -> None:
        """Handed in, sent back, approved, given back: whoever comes first."""
        the: dict[str, object] = {"milestoneId": milestone_id}
        handed_in: dict[str, object] = {**the, "message": self._text(), "links": ["https://example.com/work"]}
        await self._do(deal, self.freelancer, "submitMilestone", handed_in)
        await asyncio.gather(
            self._do(deal, self.client, APPROVE, {**the, "message": self._text()}),
            self._do(deal, self.client, "requestChanges", {**the, "note": self._text()}),
            self._do(deal, self.freelancer, "submitMilestone", handed_in | {"message": self._text()}),
            self._say(deal, self.freelancer, 1),
            self._look(deal, self.client, 1),
        )
        last = ("giveRefund", self.freelancer) if deal.chance.random() < 0.2 else (APPROVE, self.client)
        await self._do(deal, last[1], last[0], {**the, "message": self._text()}, persists=True)

    async def _propose(self, *, hours: int | None = None) -> Deal:
        milestone = {"purpose": "Why", "dueOn": "2100-01-01", "deliverables": ["It"]}
        chance = random.Random(f"{self.seed} deal {next(self.proposals)}")
        amounts = [str(chance.randint(20, 900)) for _ in range(2)]
        text = self._text()
        given: dict[str, Any] = {
            "clientId": self.client.account_id,
            "freelancerId": self.freelancer.account_id,
            "title": "A website",
            "currency": "USD",
            "message": text,
            "milestones": [
                {**milestone, "title": f"Part {number}", "amount": {"amount": amount, "currency": "USD"}}
                for number, amount in enumerate(amounts)
            ],
        }
        if hours is not None:
            given["windows"] = {"offerHours": hours}
        outcome = await self._command(chance, self.client, PROPOSE, given, persists=True)
        assert outcome.payload is not None
        assert outcome.is_accepted, outcome
        made = outcome.payload["contract"]
        deal = Deal(made["id"], [one["id"] for one in made["milestones"]], chance, said={text: "accepted"})
        self.deals.append(deal)
        return deal

    async def _fund(self, deal: Deal, milestone_id: str) -> None:
        given = {"milestoneId": milestone_id, "paymentToken": MEANS}
        outcome = await self._command(deal.chance, self.client, FUND, given, persists=True)
        assert outcome.payload is not None
        assert outcome.is_accepted, outcome
        deposit_id = outcome.payload["depositId"]
        order_id = ids.new(Kind.ORDER)
        command = c.Fund(
            milestone_id=milestone_id, deposit_id=deposit_id, order_id=order_id, payment_token=MEANS, revision=None
        )
        self._note(deal, command, self.client.actor, outcome)
        deal.history.append(Operation(Confirmed(deposit_id), outcome.began))

    async def _end_of_proposal(self, deal: Deal, how: str) -> None:
        by = self.client if how == "withdraw" else self.freelancer
        await asyncio.sleep(deal.chance.uniform(0, 0.05))
        given: dict[str, object] = {"contractId": deal.id}
        if how == "accept":
            given["revision"] = 1
        await self._do(deal, by, f"{how}Contract", given)

    async def _say(self, deal: Deal, by: Person, times: int) -> None:
        for _ in range(times):
            await self._do(deal, by, "postUpdate", {"contractId": deal.id, "message": self._text()})

    async def _do(
        self, deal: Deal, by: Person, name: str, given: dict[str, object], *, persists: bool = False
    ) -> Outcome:
        """Have one command carried out, and keep what came of it."""
        outcome = await self._command(deal.chance, by, mutation(name, STANDS), given, persists=persists)
        self._note(deal, _command(name, given), by.actor, outcome)
        text = given.get("message", given.get("note"))
        if text is not None:
            sure = "accepted" if outcome.is_accepted else "refused"
            # Approving what is released already is no error, and says nothing any more: the histories show which it was.
            is_sure = (outcome.is_accepted or not outcome.lost) and not (outcome.is_accepted and name == APPROVE)
            deal.said[str(text)] = sure if is_sure else "unknown"
        return outcome

    async def _command(
        self, chance: random.Random, by: Person, document: str, given: dict[str, Any], *, persists: bool
    ) -> Outcome:
        outcome = await self.api.command(
            by,
            document,
            given,
            key=self._text(),
            gives_up=not persists and chance.random() < GIVES_UP,
            doubles=chance.random() < DOUBLES,
        )
        became = "refused" if outcome.code is not None else "accepted"
        self.commands[became if outcome.is_known else "given up"] += 1
        return outcome

    def _note(self, deal: Deal, command: c.Command, by: Actor, outcome: Outcome) -> None:
        """An earlier attempt that nobody answered may still be carried out after a later one was refused."""
        number, history = next(self.numbers), deal.history
        if outcome.is_accepted:
            history.append(Operation(Commanded(number, command, by), outcome.began, outcome.ended))
        elif outcome.is_known:
            history.append(Operation(Commanded(number, command, by, outcome.code), outcome.asked, outcome.ended))
        if not outcome.is_accepted and outcome.lost:
            history.append(Operation(Commanded(number, command, by), outcome.began, NEVER_ENDED))
        stands = (outcome.payload or {}).get("contract")
        if stands is not None:
            deal.saw("state", stands["state"], outcome.asked, outcome.ended)
            deal.versions.append((outcome.asked, outcome.ended, stands["version"]))

    async def _until_active(self, deal: Deal, position: int) -> None:
        """Look until the money has come, and it is the milestone's turn."""
        deadline = time.monotonic() + MONEY_SECONDS_MAX
        while (await self._seen(deal, self.client))["milestones"][position]["state"] != "ACTIVE":
            if time.monotonic() > deadline:
                raise Unanswered(f"the money of milestone {position} of {deal.id} never came")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _look(self, deal: Deal, by: Person, times: int) -> None:
        for _ in range(times):
            await self._seen(deal, by)

    async def _seen(self, deal: Deal, by: Person) -> dict[str, Any]:
        data, began = await self.api.ask(by, LOOK, {"id": deal.id})
        ended = time.monotonic()
        self.commands["queries"] += 1
        found: dict[str, Any] = data["contract"]
        deal.saw("state", found["state"], began, ended)
        deal.saw("milestones", tuple(one["state"] for one in found["milestones"]), began, ended)
        deal.saw("updates", tuple(one["message"] for one in found["updates"]["nodes"]), began, ended)
        deal.versions.append((began, ended, found["version"]))
        return found

    def _text(self) -> str:
        return f"{self.run}-{next(self.numbers)}"


def _command(name: str, given: dict[str, Any]) -> c.Command:
    """The command of the core that a mutation means."""
    message = given.get("message")
    match name:
        case "acceptContract":
            return c.Accept(contract_id=given["contractId"], revision=given["revision"])
        case "declineContract":
            return c.Decline(contract_id=given["contractId"])
        case "withdrawContract":
            return c.Withdraw(contract_id=given["contractId"])
        case "postUpdate":
            return c.PostUpdate(contract_id=given["contractId"], message=given["message"])
        case "submitMilestone":
            return c.Submit(
                milestone_id=given["milestoneId"],
                submission_id=ids.new(Kind.SUBMISSION),
                message=given["message"],
                links=tuple(given["links"]),
            )
        case "approveMilestone":
            return c.Approve(milestone_id=given["milestoneId"], message=message)
        case "requestChanges":
            return c.RequestChanges(milestone_id=given["milestoneId"], note=given["note"])
        case "giveRefund":
            return c.GiveRefund(milestone_id=given["milestoneId"], message=message)
        case "requestPayout":
            return c.RequestPayout(contract_id=given["contractId"], order_id=ids.new(Kind.ORDER))
        case _:
            raise KeyError(name)
