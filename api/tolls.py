"""Lets whoever asks for anything beside GraphQL pay for it: the address does, since nobody shows a key there.

What says whether the process lives and is ready is free, since it is asked for by machines that end what doesn't answer; so is
what a payment provider or a project tool says. Calendars are paid for by whose they are, and the manual where it is read.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.arrivals import address_of, path_of
from api.live.door import Door
from api.rates.budgets import client_of
from schema.engine import costs
from schema.engine.budget import OverBudget

FREE: Final = ("/healthz/", "/readyz/", "/metrics/", "/providers/", "/couplings/", "/calendar/", "/docs/")
"""What begins so is free here, or paid for in another way, each page of the manual by what it takes."""


def is_free(path: str) -> bool:
    """Whether nothing is to be paid for it here."""
    return f"{path}/".startswith(FREE)


class Tolls:
    """Stands before all pages."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and not is_free(path_of(scope)):
            app = await self._answering(address_of(scope))
        elif scope["type"] == "websocket":  # where none is served
            rates = self._door.rates
            await rates.use(rates.budget(None, address_of(scope)), costs.OPERATION)
        await app(scope, receive, send)

    async def _answering(self, address: str) -> ASGIApp:
        """Who answers: the page, if it was paid for."""
        budget = self._door.rates.budget(None, address)
        if budget is None:
            return self._app
        try:
            await budget.spend(costs.OPERATION)
        except OverBudget as over:
            await self._door.rates.pause(budget.client)
            return told_to_wait(over)
        return self._app


async def refused(request: Request, refusal: Response, *, length: int = 0) -> Response:
    """A refusal of whoever shows what gives no right here, once it was paid for like a wrong key, at the pace of refusals.

    `length` bytes had to be read to find out.
    """
    door: Door = request.app.state.door
    rates, address = door.rates, address_of(request.scope)
    if refusal.status_code == HTTPStatus.UNAUTHORIZED:
        door.refusals.note(client_of(address), f"nothing for /{path_of(request.scope).split('/')[1]}")
    try:
        await rates.wrong_key(address, length)
    except OverBudget as over:
        refusal = told_to_wait(over)
    await rates.pause(client_of(address))
    return refusal


def told_to_wait(over: OverBudget) -> Response:
    """The answer to whoever has nothing left, where nobody speaks GraphQL."""
    seconds = max(math.ceil(over.retry_after_seconds), 1)
    return PlainTextResponse(f"{over}\n", 429, headers={"retry-after": str(seconds), "cache-control": "no-store"})
