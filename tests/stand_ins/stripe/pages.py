"""The pages that people see at the stand-in: 3-D Secure for a payer, onboarding for a payee; and what a test may do to it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from html import escape
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_ins.stripe import payees, payments, reversals
from tests.stand_ins.stripe.books import Books, Json, Refusal
from tests.stand_ins.stripe.forms import parsed

Page = Callable[[Request], Coroutine[Any, Any, Response]]

PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"><h1>{title}</h1><p>{text}</p><form method="post">{buttons}</form></html>"""


def routes(books: Books) -> list[Route]:
    """The pages, and the doors for tests below `/stand-in/`."""
    return [
        Route("/3d-secure/{name}", _three_d_secure(books), methods=["GET", "POST"]),
        Route("/onboarding/{name}", _onboarding(books), methods=["GET", "POST"]),
        Route("/stand-in/advance", _advance(books), methods=["POST"]),
        Route("/stand-in/disputes", _dispute(books), methods=["POST"]),
        Route("/stand-in/balance", _balance(books), methods=["GET"]),
        Route("/stand-in/payouts/{order}", _payouts(books), methods=["GET"]),
    ]


def _page(title: str, text: str, *buttons: tuple[str, str]) -> HTMLResponse:
    made = "".join(f'<button name="answer" value="{value}" id="{value}">{label}</button> ' for value, label in buttons)
    return HTMLResponse(PAGE.format(title=escape(title), text=escape(text), buttons=made))


async def _pressed(request: Request) -> str:
    """Which button; a form of the browser's usual kind."""
    return str(parsed((await request.body()).decode()).get("answer"))


def _three_d_secure(books: Books) -> Page:
    async def three_d_secure(request: Request) -> Response:
        """What the payer's bank asks."""
        try:
            intent = books.get("payment_intent", request.path_params["name"])
        except Refusal:
            return _page("3-D Secure", "There is no such payment.")
        if request.query_params.get("secret") != intent["client_secret"]:
            return _page("3-D Secure", "There is no such payment.")
        if request.method == "GET":
            text = f"Do you pay {intent['amount']} {intent['currency'].upper()} (in minor units)?"
            return _page("3-D Secure", text, ("complete", "Complete authentication"), ("fail", "Fail authentication"))
        action = intent["next_action"]
        passed = await _pressed(request) == "complete"
        payments.authenticate(books, intent["id"], passed=passed)
        return _back_to(action["redirect_to_url"]["return_url"] if action else None, intent)

    return three_d_secure


def _back_to(url: str | None, intent: Json) -> Response:
    if url is None:
        return _page("3-D Secure", "There is nothing to do any more.")
    told = urlencode({"payment_intent": intent["id"], "redirect_status": intent["status"]})
    return RedirectResponse(f"{url}{'&' if urlsplit(url).query else '?'}{told}", status_code=303)


def _onboarding(books: Books) -> Page:
    async def onboarding(request: Request) -> Response:
        """Where a payee tells who they are."""
        name = request.path_params["name"]
        if name not in books.of("account"):
            return _page("Onboarding", "There is no such account.")
        if request.method == "GET":
            return _page("Onboarding", "Which bank is yours?", ("good", "A good bank"), ("closed", "A closed account"))
        payees.told(books, name, bank=await _pressed(request))
        return _page("Onboarding", "Thank you.")

    return onboarding


def _advance(books: Books) -> Page:
    async def advance(request: Request) -> Response:
        """Time passes."""
        books.clock.advance(float((await request.json())["seconds"]))
        books.happen()
        return JSONResponse({"now": books.clock.now()})

    return advance


def _dispute(books: Books) -> Page:
    async def dispute(request: Request) -> Response:
        """A client disputes a payment, or the bank decides: `{"order": …}`, or with `"status"` too."""
        asked = await request.json()
        intents = books.of("payment_intent").values()
        intent = next(one for one in intents if one["metadata"].get("order") == asked["order"])
        if "status" not in asked:
            reversals.open_dispute(books, intent["latest_charge"], str(asked.get("amount", "")))
        else:
            found = books.drawer().fitting("dispute", {"charge": intent["latest_charge"]}, ("charge",))
            reversals.close(books, found[-1], asked["status"])
        return JSONResponse({})

    return dispute


def _balance(books: Books) -> Page:
    async def balance(_: Request) -> Response:
        """All that the platform has, by currency, pending and available together."""
        return JSONResponse({each.upper(): sum(books.balance("", each)) for each in books.currencies("")})

    return balance


def _payouts(books: Books) -> Page:
    async def payouts(request: Request) -> Response:
        """How the payouts stand that were made for an order of ours, the oldest first."""
        order = request.path_params["order"]
        found = [one for account in books.drawers for one in books.of("payout", account).values()]
        return JSONResponse([one["status"] for one in found if one["metadata"].get("order") == order])

    return payouts
