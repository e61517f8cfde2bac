"""Serves `/graphql` by the GraphQL over HTTP specification: media types and status codes here, execution in `schema.engine`."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.arrivals import Arrival, Gone, first_headers
from api.credentials import BadCredentials
from api.live.door import Asking, Door
from api.live.event_stream import EventStream
from api.negotiation import EVENT_STREAM, GRAPHQL, JSON, Accepted, choose, prefers_a_page
from api.origin import ForeignPage, page_of
from api.rates.budgets import Spending, client_of
from api.requests import (
    BODY_BYTES_MAX,
    BODY_BYTES_MAX_UNKNOWN,
    HEADER_CHARACTERS_MAX,
    BadRequest,
    Pay,
    read_operation,
)
from api.responses import Json, refusal
from escrow.access import Actor
from escrow.annex import Crowded
from schema.engine.budget import OverBudget
from schema.engine.context import Context
from schema.engine.execution import NotAQuery, Operation

_choose: Final = lru_cache(maxsize=64)(choose)
"""Most clients send the same header each time."""

_prefers_a_page: Final = lru_cache(maxsize=64)(prefers_a_page)


class GraphQLEndpoint:
    """Answers operations over `POST`, and queries over `GET`; as an event stream for whoever asks for one.

    A browser that was pointed here without any operation gets the `page`.
    """

    def __init__(self, door: Door, *, page: ASGIApp) -> None:
        self._door = door
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and not scope["query_string"] and _prefers_a_page(_accept(scope)):
            await self._page(scope, receive, send)
            return
        try:
            answer = await self.answer(Arrival(scope, receive))
        except Gone:
            return  # there is nobody to answer
        await answer(scope, receive, send)

    async def answer(self, request: Arrival) -> ASGIApp:
        """What a request is answered: `Json` unless it takes an event stream. Raises `Gone` if nobody is there any more."""
        accept = request.header(b"accept")
        if accept is not None and len(accept) > HEADER_CHARACTERS_MAX:
            return refusal("The accept header is too long.", status=406)
        accepted = _choose(accept)
        if accepted is None:
            said = f"Answers come as {GRAPHQL}, {JSON} or {EVENT_STREAM}; the accept header allows none of them."
            return refusal(said, status=406)
        try:
            return await self._answer_as(accepted, request)
        except BadRequest as error:
            return refusal(error.message, status=error.status, media_type=accepted.refusals, headers=error.headers)
        except BadCredentials as error:
            said, challenge = str(error), {"www-authenticate": 'Bearer error="invalid_token"'}
            return refusal(said, code="UNAUTHENTICATED", status=401, media_type=accepted.refusals, headers=challenge)
        except OverBudget as over:
            await self._door.rates.pause(client_of(request.address))
            return _over_budget(over, accepted)
        except ForeignPage as error:
            return refusal(str(error), code="FORBIDDEN", status=403, media_type=accepted.refusals)
        except NotAQuery:
            return refusal(
                "GET only runs queries; send mutations with POST.",
                status=405,
                media_type=accepted.refusals,
                headers={"allow": "POST"},
            )

    async def _answer_as(self, accepted: Accepted, request: Arrival) -> ASGIApp:
        authorization = request.header(b"authorization")
        asking = self._door.asking(authorization, request.address)
        actor = await asking.actor()
        page = page_of(request.named, self._door)
        if page is not None and actor is not None:
            page.check(actor)
        budget = self._door.rates.budget(actor, request.address)
        if budget is not None:
            try:
                await budget.admit(max(_bytes_to_read(request, actor), request.query_bytes))
            except OverBudget as over:
                await self._door.rates.pause(budget.client)
                return _over_budget(over, accepted, budget)
        operation = await self._operation(request, actor, budget.pay_bytes if budget is not None else None)
        context = Context(
            actor=await asking.actor(),
            sandbox=self._door.sandbox,
            reach=self._door.reach,
            budget=budget,
            still=asking.still,
        )
        goes_on = accepted.streams and await self._door.runner.goes_on(operation, context)
        media_type = accepted.media_type(goes_on=goes_on)
        if media_type == EVENT_STREAM:
            actor = await self._door.actor(authorization, request.address, fresh=True)
            return self._event_stream(request, operation, actor, budget, asking)
        answer = await self._door.runner.run(operation, context, only_queries=request.method == "GET")
        status = 400 if media_type == GRAPHQL and not answer.ran else 200
        if answer.retry_after_seconds is not None:
            status = 429
            if budget is not None:
                await self._door.rates.pause(budget.client)
        headers = budget.headers(answer.retry_after_seconds) if budget is not None else None
        return Json(answer.json(), status=status, media_type=media_type, headers=headers)

    async def _operation(self, request: Arrival, actor: Actor | None, pay: Pay | None) -> Operation:
        annex, owner = self._door.annex, actor.account_id if actor is not None else None
        elsewhere = annex.reading(owner) if annex is not None else None
        try:
            return await read_operation(request, bytes_max=_bytes_max(actor), elsewhere=elsewhere, pay=pay)
        except Crowded:
            raise OverBudget.crowded() from None

    def _event_stream(
        self, request: Arrival, operation: Operation, actor: Actor | None, budget: Spending | None, asking: Asking
    ) -> EventStream:
        return EventStream(
            self._door,
            operation,
            actor,
            only_reading=request.method == "GET",
            last_event_id=request.header(b"last-event-id"),
            budget=budget,
            asking=asking,
        )


def _accept(scope: Scope) -> str:
    return first_headers(scope).get(b"accept", b"").decode("latin-1")


def _bytes_max(actor: Actor | None) -> int:
    return BODY_BYTES_MAX if actor is not None else BODY_BYTES_MAX_UNKNOWN


def _bytes_to_read(request: Arrival, actor: Actor | None) -> int:
    """How much of what is announced will be read: nothing, if it is too much."""
    return request.announced_bytes if request.announced_bytes <= _bytes_max(actor) else 0


def _over_budget(over: OverBudget, accepted: Accepted, budget: Spending | None = None) -> ASGIApp:
    """The answer to whoever has nothing left, before anything of the request was read."""
    retry = {"retry-after": str(max(math.ceil(over.retry_after_seconds), 1))}
    return refusal(
        str(over),
        code="RATE_LIMITED",
        status=429,
        media_type=accepted.refusals,
        headers=budget.headers(over.retry_after_seconds) if budget is not None else retry,
        cost=budget.told() if budget is not None else None,
    )
