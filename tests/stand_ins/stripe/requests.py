"""Says which path of the API is answered by what, and expands the ids that a caller wants to see as objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.stand_ins.stripe import payees, payments, payouts, reversals
from tests.stand_ins.stripe.books import PLATFORM, Books, Json, Refusal, known, listed, page


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: its parameters have their types. `names` are those of the path."""

    books: Books
    account: str
    query: Json
    body: Json
    names: tuple[str, ...]
    path: str

    @property
    def name(self) -> str:
        return self.names[0]

    def one(self, kind: str) -> Json:
        """An object of the caller's account."""
        return self.books.get(kind, self.name, self.account)

    def listed(self, kind: str, *by: str) -> Json:
        """A page of them."""
        return listed(self.books, kind, self.query, self.path, by=by, account=self.account)


Answering = Callable[[Call], Json]


def _change_payment(call: Call) -> Json:
    intent = call.one("payment_intent")
    intent["metadata"].update(call.body.get("metadata", {}))
    return intent


def _balance(call: Call) -> Json:
    sums = {currency: call.books.balance(call.account, currency) for currency in call.books.currencies(call.account)}
    sums = sums or {"usd": (0, 0)}
    return {
        "object": "balance",
        "available": [{"amount": each[0], "currency": currency} for currency, each in sums.items()],
        "pending": [{"amount": each[1], "currency": currency} for currency, each in sums.items()],
        "livemode": False,
    }


def _reversals_of(call: Call) -> Json:
    made = call.one("transfer")
    return page(known(list(made["reversals"]["data"]), call.books), call.query, call.path)


def _events(call: Call) -> Json:
    found = call.listed("event", "type")
    wanted = call.query.get("types")
    if wanted is not None:
        found["data"] = [one for one in found["data"] if one["type"] in wanted]
    return found


ROUTES: Final[tuple[tuple[str, str, Answering], ...]] = (
    ("post", "/v1/payment_intents", lambda call: payments.create_intent(call.books, call.body)),
    ("get", "/v1/payment_intents", lambda call: call.listed("payment_intent")),
    ("get", "/v1/payment_intents/{}", lambda call: call.one("payment_intent")),
    ("post", "/v1/payment_intents/{}", _change_payment),
    ("post", "/v1/payment_intents/{}/confirm", lambda call: payments.confirm_intent(call.books, call.name, call.body)),
    ("post", "/v1/payment_intents/{}/cancel", lambda call: payments.cancel_intent(call.books, call.name, call.body)),
    ("get", "/v1/charges", lambda call: call.listed("charge", "payment_intent", "transfer_group")),
    ("get", "/v1/charges/{}", lambda call: call.one("charge")),
    ("post", "/v1/refunds", lambda call: payments.refund(call.books, call.body)),
    ("get", "/v1/refunds", lambda call: call.listed("refund", "charge", "payment_intent")),
    ("get", "/v1/refunds/{}", lambda call: call.one("refund")),
    ("post", "/v1/transfers", lambda call: payouts.transfer(call.books, call.body)),
    ("get", "/v1/transfers", lambda call: call.listed("transfer", "transfer_group", "destination")),
    ("get", "/v1/transfers/{}", lambda call: call.one("transfer")),
    ("post", "/v1/transfers/{}/reversals", lambda call: payouts.reverse(call.books, call.name, call.body)),
    ("get", "/v1/transfers/{}/reversals", _reversals_of),
    ("post", "/v1/payouts", lambda call: payouts.pay_out(call.books, call.account, call.body)),
    ("get", "/v1/payouts", lambda call: call.listed("payout", "status")),
    ("get", "/v1/payouts/{}", lambda call: call.one("payout")),
    ("post", "/v1/payouts/{}/cancel", lambda call: payouts.cancel_payout(call.books, call.account, call.name)),
    ("post", "/v1/accounts", lambda call: payees.create_account(call.books, call.body)),
    ("get", "/v1/accounts", lambda call: call.listed("account")),
    ("get", "/v1/accounts/{}", lambda call: call.one("account")),
    ("get", "/v1/account", lambda call: payees.own_account(call.books)),
    ("post", "/v1/account_links", lambda call: payees.link(call.books, call.body)),
    ("get", "/v1/disputes", lambda call: call.listed("dispute", "charge", "payment_intent")),
    ("get", "/v1/disputes/{}", lambda call: call.one("dispute")),
    ("post", "/v1/disputes/{}", lambda call: reversals.answer(call.books, call.name, call.body)),
    ("post", "/v1/disputes/{}/close", lambda call: reversals.accept(call.books, call.name)),
    ("get", "/v1/balance", _balance),
    ("get", "/v1/balance_transactions", lambda call: call.listed("balance_transaction", "source", "type", "currency")),
    ("get", "/v1/balance_transactions/{}", lambda call: call.one("balance_transaction")),
    ("get", "/v1/events", _events),
    ("get", "/v1/events/{}", lambda call: call.one("event")),
)
"""What is answered, by method and path."""

_MATCHING: Final = [
    (method, re.compile(re.escape(path).replace(r"\{\}", "([^/]+)")), answering) for method, path, answering in ROUTES
]


def found(method: str, path: str) -> tuple[Answering, tuple[str, ...]]:
    """What answers this, and the names in the path. Raises `Refusal` 404."""
    for wanted, pattern, answering in _MATCHING:
        match = pattern.fullmatch(path)
        if match is not None and wanted == method:
            return answering, match.groups()
    raise Refusal(404, f"Unrecognized request URL ({method.upper()}: {path}).")


KINDS: Final = {
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "tr": "transfer",
    "trr": "transfer_reversal",
    "po": "payout",
    "du": "dispute",
    "txn": "balance_transaction",
    "acct": "account",
}


def expanded(call: Call, answer: Json) -> Json:
    """The answer with the ids that were asked for as objects."""
    for place in [*call.query.get("expand", ()), *call.body.get("expand", ())]:
        answer = _expanded(call, answer, place.split("."))
    return answer


def _expanded(call: Call, node: Any, place: list[str]) -> Any:
    if not place:
        return _object_of(call, node) if isinstance(node, str) else node
    if isinstance(node, list):
        return [_expanded(call, each, place) for each in node]
    if isinstance(node, str):
        node = _object_of(call, node)
    if not isinstance(node, dict) or place[0] not in node:
        return node
    return {**node, place[0]: _expanded(call, node[place[0]], place[1:])}


def _object_of(call: Call, name: str) -> Any:
    kind = KINDS.get(name.partition("_")[0])
    account = PLATFORM if kind == "account" else call.account
    return call.books.of(kind, account).get(name, name) if kind else name
