"""Is the stand-in's door: checks each request and each answer against the description, remembers keys, and does wrong.

A violation of the description, on either side, is kept in `violations`: a test that used the stand-in ends with none.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.stand_ins.stripe import pages
from tests.stand_ins.stripe.books import PLATFORM, Books, Json, Refusal
from tests.stand_ins.stripe.description import Description, Violation
from tests.stand_ins.stripe.forms import Parameters, parsed
from tests.stand_ins.stripe.hostility import Fault
from tests.stand_ins.stripe.notifications import Notifier
from tests.stand_ins.stripe.requests import Call, expanded, found

KEY_CHARACTERS_MAX: Final = 255


@dataclass(slots=True)
class Remembered:
    """A request with an idempotency key: what it asked, when, and what was answered; without an answer it is under way."""

    asked: str
    at: int
    status: int = 0
    body: Json = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Parameters
    body: Parameters
    account: str
    key: str | None

    @property
    def text(self) -> str:
        return json.dumps([self.method, self.path, self.body], sort_keys=True)


class StandIn:
    """Stripe, as far as the platform can tell. `secret_key` is what it must show."""

    def __init__(
        self, books: Books, description: Description, *, secret_key: str, notifier: Notifier | None = None
    ) -> None:
        self.books = books
        self.violations: list[str] = []
        self.requests = 0
        self.faults: dict[Fault, int] = {}
        self.notifier = notifier
        self.moment: Callable[[], None] = lambda: None
        """Is called when a request has come, and again when it was carried out and isn't answered yet."""
        self.seen: list[tuple[str, str]] = []
        self.traces: list[str | None] = []
        """The `traceparent` of each request, as they came."""
        books.version = description.version
        self._description = description
        self._secret_key = secret_key
        self._keys: dict[tuple[str, str], Remembered] = {}
        self._counts: dict[str, int] = {}
        self._under_way: set[str] = set()

    @property
    def is_working(self) -> bool:
        """Whether a request is still to be carried out, or a notice is being sent."""
        return bool(self._under_way) or (self.notifier is not None and self.notifier.is_sending)

    def app(self) -> Starlette:
        """The API below `/v1/`, the pages for people, and the doors for tests."""
        everything = Route("/v1/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])
        return Starlette(routes=[*pages.routes(self.books), everything], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(self._go_on())
        yield
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            await self.pass_on()
            await asyncio.sleep(0.05)

    async def pass_on(self) -> None:
        """What is due happens, and notices of it go out."""
        self.books.happen()
        self._check_events()
        if self.notifier is not None:
            await self.notifier.send()

    async def _answer(self, request: Request) -> Response:
        self.requests += 1
        self.moment()
        self.books.happen()
        asked = Asked(
            method=request.method.lower(),
            path=request.url.path,
            query=parsed(request.url.query),
            body=parsed((await request.body()).decode()),
            account=request.headers.get("stripe-account", PLATFORM),
            key=request.headers.get("idempotency-key"),
        )
        self.seen.append((asked.method, asked.path))
        self.traces.append(request.headers.get("traceparent"))
        refusal = self._at_the_door(request, asked)
        if refusal is not None:
            return self._response(asked, refusal.status, {"error": refusal.body})
        name = asked.key or f"{asked.method} {asked.path}"
        count = self._counts[name] = self._counts.get(name, 0) + 1
        fault = self.books.hostility.fault(name, count, writes=asked.method == "post")
        if fault is not None:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        answer = await self._with_fault(asked, fault)
        self.moment()
        return answer

    def _at_the_door(self, request: Request, asked: Asked) -> Refusal | None:
        if _token(request.headers.get("authorization", "")) != self._secret_key:
            return Refusal(401, "Invalid API Key provided")
        version = request.headers.get("stripe-version")
        if version != self._description.version:
            self.violations.append(f"Stripe-Version is {version}")
        if asked.key is not None and len(asked.key) > KEY_CHARACTERS_MAX:
            return Refusal(400, "Idempotency keys can be at most 255 characters long", kind="idempotency_error")
        if asked.method == "post" and asked.key is None:
            self.violations.append(f"{asked.path} was asked without a key")
        if asked.account and asked.account not in self.books.of("account"):
            return Refusal(403, "The provided key does not have access to this account", code="account_invalid")
        return None

    async def _with_fault(self, asked: Asked, fault: Fault | None) -> Response:
        late = self.books.hostility.late_seconds
        match fault:
            case Fault.LOST_REQUEST:
                return Cut()
            case _ if fault is Fault.CONFLICT or asked.key in self._under_way:
                refusal = Refusal(
                    409, "There is currently another in-progress request using this key.", code="lock_timeout"
                )
                return self._response(asked, refusal.status, {"error": refusal.body})
            case Fault.TOO_MANY:
                return self._response(asked, 429, {"error": Refusal(429, "Too many requests", code="rate_limit").body})
            case Fault.LATE_WORK:
                await self._late(asked, late)
                return Cut()
            case Fault.LOST_ANSWER | Fault.LATE_ANSWER:
                self._carried_out(asked)
                await asyncio.sleep(late if fault is Fault.LATE_ANSWER else 0)
                return Cut()
            case _:
                status, body, replayed = self._carried_out(asked, fault)
                return self._response(asked, status, body, replayed=replayed)

    async def _late(self, asked: Asked, seconds: float) -> None:
        """Whoever comes with the same key meanwhile is told that it is under way."""
        self._under_way.add(str(asked.key))
        try:
            await asyncio.sleep(seconds)
            self._carried_out(asked)
        finally:
            self._under_way.discard(str(asked.key))

    def _carried_out(self, asked: Asked, fault: Fault | None = None) -> tuple[int, Json, bool]:
        """What the request is answered, from memory if its key is known; and whether it was."""
        if asked.method != "post" or asked.key is None:
            return (*self._executed(asked), False)
        place = (asked.account, asked.key)
        known = self._keys.get(place)
        if known is not None and self.books.clock.now() - known.at >= self.books.hostility.keys_forgotten_seconds:
            known = None
        if known is not None:
            if known.asked != asked.text:
                said = "Keys for idempotent requests can only be used with the same parameters."
                wrong = Refusal(400, said, kind="idempotency_error")
                return wrong.status, {"error": wrong.body}, False
            return known.status, known.body, True
        if fault is Fault.STORED_ERROR:
            status, body = _internal_error()
        else:
            status, body = self._executed(asked)
            if fault is Fault.STORED_ERROR_AFTERWARDS and status != 404:
                status, body = _internal_error()
        if status != 404:
            self._keys[place] = Remembered(asked.text, self.books.clock.now(), status, orjson.loads(orjson.dumps(body)))
        return status, body, False

    def _executed(self, asked: Asked) -> tuple[int, Json]:
        try:
            query, body = self._description.request(asked.method, asked.path, asked.query, asked.body)
            answering, names = found(asked.method, asked.path)
            call = Call(self.books, asked.account, query, body, names, asked.path)
            answer = expanded(call, answering(call))
        except Violation as violation:
            self.violations.append(str(violation))
            return 400, {"error": Refusal(400, str(violation), code="parameter_unknown").body}
        except Refusal as refusal:
            return refusal.status, {"error": refusal.body}
        self._check_events()
        return 200, answer

    def _check_events(self) -> None:
        for event in self.books.unchecked:
            self._checked(event)
            self._checked(event["data"]["object"])
        self.books.unchecked.clear()

    def _checked(self, thing: Json) -> None:
        try:
            self._description.thing(thing)
        except Violation as violation:
            self.violations.append(str(violation))

    def _response(self, asked: Asked, status: int, body: Json, *, replayed: bool = False) -> Response:
        try:
            self._description.answer(asked.method, asked.path, status, body)
        except Violation as violation:
            self.violations.append(str(violation))
        headers = {
            "date": formatdate(self.books.clock.now(), usegmt=True),
            "request-id": f"req_{self.requests}",
            "stripe-version": self._description.version,
        }
        if replayed:
            headers["idempotent-replayed"] = "true"
        return Response(orjson.dumps(body), status_code=status, media_type="application/json", headers=headers)


class Cut(Response):
    """No answer: the connection is closed in its middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _internal_error() -> tuple[int, Json]:
    return 500, {"error": Refusal(500, "An unknown error occurred", kind="api_error").body}


def _token(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        return b64decode(value).decode().partition(":")[0]
    return value
