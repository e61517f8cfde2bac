"""Couplings of a real contract, over the real API and in the real tables, with a tool in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors import couplings, tending
from connectors.couplings import Coupling, Secrets
from connectors.port import Tool
from connectors.sides import Field, Theirs, TheirSide, Treaty
from escrow.database import execute, fetch, fetch_value
from tests.api.client import Caller
from tests.api.live.serving import Served, settled
from tests.connectors.pretending import Board, Clock, Fate
from tests.factories import Deal

PLAN = """query ($id: ID!) { contract(id: $id) { milestones {
    id state title purpose dueOn amount { amount } externalReferences { system externalId url } } } }"""


class Watched(Board):
    """A tool that counts how often it is read."""

    def __init__(self, *, names: bool = False) -> None:
        super().__init__(Clock(), Fate(), names=names)
        self.reads = 0

    async def read(self) -> TheirSide:
        self.reads += 1
        return await super().read()

    def of(self, milestone_id: str) -> Theirs:
        """The item of a milestone."""
        (found,) = [item for item in self.items.values() if item.mark == milestone_id]
        return found


@dataclass(frozen=True, slots=True)
class Coupled:
    """One coupling."""

    name: str
    board: Watched
    couple: Couple

    async def visit(self) -> None:
        """Have it looked at now, as a worker does when it is due."""
        await settled()
        only_this = "CASE WHEN name = $1 THEN interval '0' ELSE interval '1 day' END"
        await execute(f"UPDATE couplings SET due_at = clock_timestamp() + {only_this}", self.name)
        (leased,) = [one for one in await couplings.lease(99) if one.coupling.name == self.name]
        await tending.visit(leased, self._opens)

    async def ring(self) -> None:
        """Have it looked at because the tool rang."""
        assert await couplings.ring(self.name)
        await self.visit()

    def _opens(self, _: Coupling) -> Tool:
        return self.board

    async def row(self) -> dict[str, Any]:
        """How it stands."""
        return dict((await fetch("SELECT * FROM couplings WHERE name = $1", self.name))[0])


class Couple:
    """Makes couplings of one contract."""

    def __init__(self, served: Served, deal: Deal) -> None:
        self.served = served
        self.deal = deal
        self.client: Caller = served.people.client
        self.freelancer: Caller = served.people.freelancer

    async def __call__(
        self, name: str = "board", *, by: Caller | None = None, treaty: Treaty | None = None, names: bool = False
    ) -> Coupled:
        one = Coupling(
            name=name,
            tool="github",
            contract_id=self.deal.id,
            earnest_url=self.served.url.removesuffix("/graphql"),
            place={"repository": "o/r"},
            treaty=treaty or Treaty(),
            secrets=Secrets(key=(by or self.client).token or "", token="t", webhook="a secret"),
            poll_seconds=36_000,
        )
        assert await couplings.add(one)
        return Coupled(name, Watched(names=names), self)

    async def plan(self) -> list[dict[str, Any]]:
        """The milestones as the client sees them."""
        found: list[dict[str, Any]] = (await self.client.ask(PLAN, {"id": self.deal.id}))["contract"]["milestones"]
        return found

    async def transfers(self) -> int:
        """How often money moved."""
        return int(await fetch_value("SELECT count(*) FROM transfers"))


def title(text: str) -> dict[Field, str]:
    """Another title."""
    return {Field.TITLE: text}
