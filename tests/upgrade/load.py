"""What a deployment is asked meanwhile: contracts from the proposal to the released milestone, and who hears of them.

A request goes to one of the web processes; where nobody listens it goes to the next. Anything else that goes wrong is a failure.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus

from escrow import cursors
from tests.api.live.serving import Served
from tests.api.live.socket import connected
from tests.api.live.sse import EventStream
from tests.patience import PATIENCE_SECONDS

TURN_SECONDS: Final = 0.03
"""Between two looks at a milestone whose money is on its way, and before whoever was refused everywhere asks again."""

EVENTS: Final = "subscription ($after: Cursor) { events(after: $after) { cursor stream sequence } }"
SCOPES: Final = ["CONTRACTS_READ", "CONTRACTS_WRITE", "MONEY_WRITE", "WEBHOOKS_MANAGE"]


@dataclass(slots=True, eq=False)
class Front:
    """The addresses behind which the deployment's web processes are, and what became of what was asked there."""

    ports: list[int]
    refused: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def post(self, http: httpx.AsyncClient, token: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of whoever listens."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for port in self._chance.sample(self.ports, len(self.ports)):
                    url, headers = f"http://127.0.0.1:{port}/graphql", {"authorization": f"Bearer {token}"}
                    try:
                        response = await http.post(url, json=body, headers=headers)
                    except httpx.ConnectError:
                        self.refused += 1
                        continue
                    assert response.status_code == 200, response.text
                    answer: dict[str, Any] = response.json()
                    assert "errors" not in answer, answer
                    return cast("dict[str, Any]", answer["data"])
                await asyncio.sleep(TURN_SECONDS)

    def one(self) -> int:
        """Any of them."""
        return self._chance.choice(self.ports)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key."""

    front: Front
    http: httpx.AsyncClient
    token: str
    account_id: str = ""

    async def ask(self, query: str, **variables: object) -> dict[str, Any]:
        return await self.front.post(self.http, self.token, {"query": query, "variables": variables})

    async def do(self, mutation: str, fields: str, **given: object) -> dict[str, Any]:
        """What a mutation answers, which must not refuse."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        query = f"""mutation ($input: {kind}!) {{ {mutation}(input: $input) @idempotent(key: "{secrets.token_hex(8)}") {{
            {fields} userErrors {{ code message field }} }} }}"""
        payload: dict[str, Any] = (await self.ask(query, input=given))[mutation]
        assert payload["userErrors"] == [], (mutation, payload)
        return payload

    async def open_account(self, name: str) -> Person:
        """An account made by the operator, with a key."""
        account = (await self.do("createAccount", "account { id }", name=name, type="AGENCY"))["account"]["id"]
        key = await self.do("createApiKey", "secret", accountId=account, name=name, scopes=SCOPES)
        return Person(self.front, self.http, key["secret"], account)


@dataclass(slots=True, eq=False)
class Load:
    """Contracts one after the other, several at once; `done` counts those that came to their end."""

    client: Person
    freelancer: Person
    done: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    async def live(self) -> None:
        """One contract after the other until it is over."""
        while not self.is_over:
            await self._contract()
            self.done += 1
            self._more.set()
            self._more = asyncio.Event()

    async def more(self, count: int) -> None:
        """Wait until so many more came to their end."""
        enough = self.done + count
        while self.done < enough:
            await self._more.wait()

    async def _contract(self) -> None:
        client, freelancer = self.client, self.freelancer
        milestone = {"title": "A page", "purpose": "To be seen", "amount": {"amount": "100.00", "currency": "USD"}}
        made = await freelancer.do(
            "proposeContract",
            "contract { id milestones { id } }",
            clientId=client.account_id,
            freelancerId=freelancer.account_id,
            title="A website",
            currency="USD",
            milestones=[milestone | {"dueOn": "2100-01-01", "deliverables": ["One page"]}],
        )
        contract = made["contract"]
        (only,) = (one["id"] for one in contract["milestones"])
        await client.do("acceptContract", "contract { state }", contractId=contract["id"], revision=1)
        await client.do("fundMilestone", "milestone { state }", milestoneId=only, paymentToken="tok_ok")
        await self._funded(only)
        await freelancer.do("submitMilestone", "milestone { state }", milestoneId=only, message="Here it is")
        await client.do("approveMilestone", "milestone { state }", milestoneId=only)

    async def _funded(self, milestone_id: str) -> None:
        query = "query ($id: ID!) { node(id: $id) { ... on Milestone { state } } }"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.client.ask(query, id=milestone_id))["node"]["state"] != "ACTIVE":  # noqa: ASYNC110 - as a client does
                await asyncio.sleep(TURN_SECONDS)


GOING_AWAY: Final = 1001
NO_PONG: Final = 4408
"""The machine was too busy for this process to answer in time: it comes back as after anything else."""

Heard = tuple[str, str, int]
"""Cursor, stream and sequence."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """Somebody who follows all events, and comes back with the last cursor whenever a process tells them to go."""

    person: Person
    by_socket: bool
    heard: list[Heard] = field(default_factory=list)
    told_to_go: int = 0

    async def has(self, count: int) -> bool:
        """Whether so many events were heard."""
        return len(self.heard) >= count

    async def follow(self) -> None:
        """For ever."""
        while True:
            port = self.person.front.one()
            try:
                await (self._by_socket(port) if self.by_socket else self._by_events(port))
            except (httpx.ConnectError, ConnectionRefusedError, InvalidStatus):
                await asyncio.sleep(TURN_SECONDS)

    @property
    def _variables(self) -> dict[str, Any]:
        return {"after": self.heard[-1][0] if self.heard else cursors.print_cursor(cursors.BEGINNING)}

    def _hear(self, event: dict[str, Any]) -> None:
        self.heard.append((event["cursor"], event["stream"], event["sequence"]))

    async def _by_socket(self, port: int) -> None:
        served = cast("Served", _Address(f"ws://127.0.0.1:{port}/graphql"))
        try:
            async with connected(served, token=self.person.token) as socket:
                await socket.subscribe(EVENTS, self._variables)
                while True:
                    self._hear(await socket.event())
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code not in (GOING_AWAY, NO_PONG):
                raise
            self.told_to_go += closed.rcvd.code == GOING_AWAY

    async def _by_events(self, port: int) -> None:
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {self.person.token}"}
        url, body = f"http://127.0.0.1:{port}/graphql", {"query": EVENTS, "variables": self._variables}
        async with (
            httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
            http.stream("POST", url, json=body, headers=headers) as response,
        ):
            if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return  # turned away by one that stops
            stream = EventStream(response, aiter(response.aiter_lines()))
            while "errors" not in (said := await stream.hear()).data:
                self._hear(said.data["data"]["events"])
            assert said.data["errors"][0]["extensions"]["code"] == "GOING_AWAY", said
            self.told_to_go += 1


@dataclass(frozen=True, slots=True)
class _Address:
    """As much of `Served` as a socket asks for."""

    socket_url: str

    async def begun(self) -> None:
        """It doesn't matter here: whoever comes names a cursor."""
