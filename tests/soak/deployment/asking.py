"""Asks the deployment as a careful program does: each command with an idempotency key, sent again until somebody answers.

Everything goes through a door that is cut, to processes that are killed and stopped; what comes of it is written down.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from escrow.access import Actor

ANSWER_SECONDS_MAX: Final = 10.0
PAUSE_SECONDS_MAX: Final = 0.5
PATIENCE_SECONDS: Final = 900.0
"""How long nobody may answer before the soak has gone wrong."""


class Lost(Exception):
    """No answer, or one that says nothing of what came of it."""


class Unanswered(AssertionError):
    """Nobody answered for so long that nobody ever will."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key."""

    actor: Actor
    token: str

    @property
    def account_id(self) -> str:
        assert self.actor.account_id is not None
        return self.actor.account_id


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: when it was first sent, when the last time, when answered, and how often no answer came."""

    key: str
    began: float
    asked: float
    ended: float
    lost: int
    payload: Mapping[str, Any] | None
    """What it was answered with; `None` if somebody gave up before it was answered."""

    @property
    def is_known(self) -> bool:
        return self.payload is not None

    @property
    def code(self) -> str | None:
        """Why it was refused."""
        errors = self.payload["userErrors"] if self.payload is not None else []
        return str(errors[0]["code"]) if errors else None

    @property
    def is_accepted(self) -> bool:
        return self.is_known and self.code is None


@dataclass(slots=True)
class Api:
    """The door of the deployment."""

    session: aiohttp.ClientSession
    url: str
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    """What was asked and what came of it."""

    async def ask(self, person: Person, document: str, variables: Mapping[str, object]) -> tuple[dict[str, Any], float]:
        """The data of a query or a mutation, however often it has to be asked, and when it was asked last."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            asked = time.monotonic()
            try:
                return await self._once(person, document, variables), asked
            except Lost as lost:
                self.counts["answers lost"] += 1
                if time.monotonic() > deadline:
                    raise Unanswered(str(lost)) from lost
            await asyncio.sleep(self.chance.uniform(0, PAUSE_SECONDS_MAX))

    async def command(
        self, person: Person, document: str, given: Mapping[str, object], *, key: str, gives_up: bool, doubles: bool
    ) -> Outcome:
        """Have something done once. Who `gives_up` doesn't ask again when an answer is lost; who `doubles` asks twice at once."""
        variables = {"input": given, "key": key}
        began = time.monotonic()
        lost = 0
        while True:
            asked = time.monotonic()
            answers = await asyncio.gather(
                *(self._once(person, document, variables) for _ in range(1 + doubles)), return_exceptions=True
            )
            wrong = [one for one in answers if isinstance(one, BaseException) and not isinstance(one, Lost)]
            if wrong:
                raise wrong[0]
            payloads = [next(iter(one.values())) for one in answers if not isinstance(one, BaseException)]
            lost += len(answers) - len(payloads)
            self.counts["answers lost"] += len(answers) - len(payloads)
            accepted = [one for one in payloads if not one["userErrors"]]
            if payloads and (accepted or not doubles):
                return Outcome(key, began, asked, time.monotonic(), lost, (accepted or payloads)[0])
            if len(payloads) == len(answers):  # both were refused
                return Outcome(key, began, asked, time.monotonic(), lost, payloads[-1])
            if gives_up:
                return Outcome(key, began, asked, time.monotonic(), lost, None)
            if time.monotonic() > began + PATIENCE_SECONDS:
                raise Unanswered(f"{key}: {answers}")
            doubles = False
            await asyncio.sleep(self.chance.uniform(0, PAUSE_SECONDS_MAX))

    async def _once(self, person: Person, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {person.token}"}
        body = {"query": document, "variables": variables}
        self.counts["requests"] += 1
        try:
            async with self.session.post(f"{self.url}/graphql", json=body, headers=headers) as answer:
                if answer.status >= 500 or answer.status == 429:
                    raise Lost(f"{answer.status} {await answer.text()}")
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Lost(repr(error)) from error
        errors = said.get("errors", [])
        if any(one.get("extensions", {}).get("code") in ("INTERNAL", "RATE_LIMITED") for one in errors):
            raise Lost(str(errors))
        assert not errors, (document, variables, said)
        data: dict[str, Any] = said["data"]
        return data
