"""Keeps the stand-in's own books: its objects, a balance for each account, what has happened, and what happens later.

Account `""` is the platform. Money moves by `move` alone, which writes the balance transaction; a balance is their sum.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

from tests.stand_ins.stripe.hostility import Hostility

Json = dict[str, Any]

PLATFORM: Final = ""

INDEXED: Final = ("transfer_group", "charge", "payment_intent", "source", "source_transaction")

EVENTS_KEPT: Final = 10_000

BEGINNING: Final = 1_790_000_000
"""When a clock that nobody moved stands, in seconds since 1970."""


class Refusal(Exception):
    """The request is answered with an error of Stripe's kind, and nothing was done."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: Final[Json] = {"message": message, "type": kind} | ({"code": code} if code else {})


@dataclass(slots=True)
class Clock:
    """The stand-in's time in seconds; it stands still unless somebody moves it, or runs with `real`."""

    offset: float = BEGINNING
    real: Callable[[], float] = lambda: 0.0

    def now(self) -> int:
        """Whole seconds, as Stripe tells them."""
        return int(self.offset + self.real())

    def advance(self, seconds: float) -> None:
        """Time passes; what was due meanwhile happens when somebody looks (`Books.happen`)."""
        self.offset += seconds


@dataclass(slots=True)
class Purse:
    """An account's money in one currency: what is available, and what will be, with the time."""

    available: int = 0
    pending: list[tuple[float, int]] = field(default_factory=list)

    def add(self, net: int, at: float, now: float) -> None:
        """Money that is available at a time, which may be now."""
        if at <= now:
            self.available += net
        else:
            heapq.heappush(self.pending, (at, net))

    def settle(self, now: float) -> None:
        """What was pending and isn't any more is available."""
        while self.pending and self.pending[0][0] <= now:
            self.available += heapq.heappop(self.pending)[1]


@dataclass(slots=True)
class Drawer:
    """What one account has: objects by kind and id in the order in which they came, and purses by currency."""

    things: dict[str, dict[str, Json]] = field(default_factory=dict)
    purses: dict[str, Purse] = field(default_factory=dict)
    index: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """The ids of a kind by the value of a field that lists are filtered by, and by the order of ours that they are for."""

    def of(self, kind: str) -> dict[str, Json]:
        """All of a kind."""
        return self.things.setdefault(kind, {})

    def put(self, kind: str, thing: Json) -> None:
        """Keep a new object where it is found."""
        self.of(kind)[thing["id"]] = thing
        for name in INDEXED:
            if isinstance(thing.get(name), str):
                self.index.setdefault((kind, name, thing[name]), []).append(thing["id"])
        order = (thing.get("metadata") or {}).get("order")
        if order is not None:
            self.index.setdefault((kind, "order", order), []).append(thing["id"])

    def of_order(self, kind: str, order_id: str) -> list[Json]:
        """Those of a kind that are for one of our orders."""
        return [self.of(kind)[one] for one in self.index.get((kind, "order", order_id), ())]

    def fitting(self, kind: str, query: Json, by: tuple[str, ...]) -> list[Json]:
        """Those that a list may hold, by the fields that both the query and the index have."""
        for name in by:
            if name in query and name in INDEXED:
                return [self.of(kind)[one] for one in self.index.get((kind, name, query[name]), ())]
        return list(self.of(kind).values())


@dataclass(slots=True)
class Notice:
    """An event as it is on its way to the platform: due at a time, in seconds of the clock."""

    at: float
    event: Json


@dataclass(slots=True)
class Books:
    """Everything that the stand-in knows."""

    hostility: Hostility = field(default_factory=Hostility)
    clock: Clock = field(default_factory=Clock)
    version: str = ""
    address: str = ""
    """Where the stand-in's own pages are."""
    banks: dict[str, str] = field(default_factory=dict)
    """What the bank of an account is like: `good`, or `closed`."""
    drawers: dict[str, Drawer] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    due: list[tuple[float, str, list[str]]] = field(default_factory=list)
    """What happens later: when, the name of what happens (`LATER`), and to what."""
    unchecked: list[Json] = field(default_factory=list)
    """Events that nobody has compared with the description yet."""
    numbers: dict[str, int] = field(default_factory=dict)

    def drawer(self, account: str = PLATFORM) -> Drawer:
        """What an account has."""
        return self.drawers.setdefault(account, Drawer())

    def of(self, kind: str, account: str = PLATFORM) -> dict[str, Json]:
        """All objects of a kind that an account has."""
        return self.drawer(account).of(kind)

    def get(self, kind: str, name: str, account: str = PLATFORM) -> Json:
        """One of them. Raises `Refusal` 404."""
        found = self.of(kind, account).get(name)
        if found is None:
            raise Refusal(404, f"No such {kind}: '{name}'", code="resource_missing")
        return found

    def put(self, kind: str, thing: Json, account: str = PLATFORM) -> Json:
        """Keep a new object."""
        self.drawer(account).put(kind, thing)
        return thing

    def new_id(self, prefix: str) -> str:
        """The next id of a kind; the same in every run of a seed that asks in the same order."""
        number = self.numbers[prefix] = self.numbers.get(prefix, 0) + 1
        letters = hashlib.sha256(f"{self.hostility.seed}:{prefix}:{number}".encode()).hexdigest()
        return f"{prefix}_{letters[:24]}"

    def move(
        self,
        account: str,
        kind: str,
        amount: int,
        currency: str,
        *,
        source: str,
        fee: int = 0,
        pending_seconds: float = 0,
        category: str | None = None,
    ) -> Json:
        """Money comes to an account (or leaves it, with a negative amount), less a fee; gives the balance transaction."""
        now = self.clock.now()
        at = int(now + pending_seconds)
        self.drawer(account).purses.setdefault(currency, Purse()).add(amount - fee, at, now)
        details = {"amount": fee, "application": None, "currency": currency, "description": None, "type": "stripe_fee"}
        transaction: Json = {
            "id": self.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": at,
            "balance_type": "payments",
            "created": now,
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": category or kind,
            "source": source,
            "status": "pending" if at > now else "available",
            "type": kind,
        }
        return self.put("balance_transaction", transaction, account)

    def balance(self, account: str, currency: str) -> tuple[int, int]:
        """What is available and what is pending."""
        purse = self.drawer(account).purses.get(currency, Purse())
        purse.settle(self.clock.now())
        return purse.available, sum(net for _, net in purse.pending)

    def currencies(self, account: str) -> list[str]:
        """Those in which an account ever had money."""
        return sorted(self.drawer(account).purses)

    def say(self, kind: str, thing: Json, account: str = PLATFORM) -> None:
        """Something happened: an event, and a notice of it, or two, or none, now or later."""
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": self.version,
            "created": self.clock.now(),
            "data": {"object": _copy(thing)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        if account:
            event["account"] = account
        self.put("event", event, account)
        kept = self.of("event", account)
        if len(kept) > EVENTS_KEPT:
            del kept[next(iter(kept))]
        self.unchecked.append(event)
        self._notify(event)

    def _notify(self, event: Json) -> None:
        wrong, now, name = self.hostility, self.clock.now(), event["id"]
        if wrong.happens(wrong.notices_never, "never", name):
            return
        late = wrong.happens(wrong.notices_late, "late", name)
        at = now + (wrong.drawn("how late", name) * 600 if late else 0)
        self.notices.append(Notice(at, event))
        if wrong.happens(wrong.notices_twice, "twice", name):
            self.notices.append(Notice(at + wrong.drawn("again", name) * 300, event))

    def later(self, seconds: float, what: str, *names: str) -> None:
        """Something happens after so long, to what bears these names."""
        heapq.heappush(self.due, (self.clock.now() + seconds, what, list(names)))

    def happen(self) -> None:
        """All that is due by now happens, in its order; what comes of it too, if it is due."""
        while self.due and self.due[0][0] <= self.clock.now():
            _, what, names = heapq.heappop(self.due)
            LATER[what](self, *names)

    def due_notices(self) -> list[Json]:
        """The events that the platform is to be told of now; each is given once."""
        ready = [one for one in self.notices if one.at <= self.clock.now()]
        self.notices = [one for one in self.notices if one.at > self.clock.now()]
        return [one.event for one in sorted(ready, key=lambda one: one.at)]


LATER: Final[dict[str, Callable[..., None]]] = {}
"""What can happen later, by name: each takes the books and the names of what it happens to."""


def happens_later(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function known under its name."""
    LATER[function.__name__] = function
    return function


def listed(
    books: Books, kind: str, query: Json, url: str, *, by: tuple[str, ...] = (), account: str = PLATFORM
) -> Json:
    """A page of objects as Stripe lists them: the newest first, after an id, those that fit what was asked."""
    found = reversed(books.drawer(account).fitting(kind, query, by))
    created = query.get("created")
    since = created.get("gte", 0) if isinstance(created, dict) else 0
    young = takewhile(lambda one: one["created"] >= since, found)
    return page(known([one for one in young if _fits(one, query, by)], books), query, url)


LATE_IN_LISTS: Final = frozenset({"refund", "transfer", "transfer_reversal", "payout"})


def known(things: list[Json], books: Books) -> list[Json]:
    """Those of what moves money that lists have by now."""
    now, wrong = books.clock.now(), books.hostility
    return [
        one for one in things if one["object"] not in LATE_IN_LISTS or wrong.is_listed(one["id"], now - one["created"])
    ]


def page(fitting: list[Json], query: Json, url: str) -> Json:
    """A page of these objects, the newest first."""
    names = [one["id"] for one in fitting]
    after, before = query.get("starting_after"), query.get("ending_before")
    if after in names:
        fitting = fitting[names.index(after) + 1 :]
    elif before in names:
        fitting = fitting[: names.index(before)]
    limit = query.get("limit", 10)
    return {"object": "list", "data": _copy(fitting[:limit]), "has_more": len(fitting) > limit, "url": url}


def _fits(thing: Json, query: Json, by: tuple[str, ...]) -> bool:
    created = query.get("created")
    if isinstance(created, dict):
        at = thing["created"]
        if at < created.get("gte", at) or at <= created.get("gt", at - 1):
            return False
        if at > created.get("lte", at) or at >= created.get("lt", at + 1):
            return False
    return all(thing.get(name) == query[name] for name in by if name in query)


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(each) for each in node] if isinstance(node, list) else node
