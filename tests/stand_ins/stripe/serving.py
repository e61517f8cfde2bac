"""Serves the stand-in on loopback: in the loop of a test, or as a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import uvicorn

from escrow.stripe_access import PayoutsBy, StripeAccess
from tests.patience import RESTS_SECONDS
from tests.stand_ins.stripe.books import Books, Clock
from tests.stand_ins.stripe.description import stripe_description
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.notifications import Notifier
from tests.stand_ins.stripe.server import StandIn

KEY: Final = "rk_test_stand_in"
WEBHOOK_SECRET: Final = "whsec_stand_in"
RETURN_URL: Final = "https://app.example.com/paid"


@dataclass(slots=True)
class Playing:
    """A stand-in that is served, and how the platform reaches it."""

    stand_in: StandIn
    url: str
    notified: list[str] = field(default_factory=list)

    @property
    def books(self) -> Books:
        return self.stand_in.books

    @property
    def violations(self) -> list[str]:
        return self.stand_in.violations

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happens by itself any more: nothing is due, nothing is carried out late, no notice is on its way."""
        return not self.books.due and not self.books.notices and not self.stand_in.is_working

    def access(self, *, payouts_by: PayoutsBy = PayoutsBy.ORDER, country: str | None = None) -> StripeAccess:
        """What a deployment's settings say of it."""
        return StripeAccess(
            key=KEY,
            webhook_secrets=(WEBHOOK_SECRET,),
            return_url=RETURN_URL,
            country=country,
            payouts_by=payouts_by,
            base_url=self.url,
        )

    def pass_time(self, seconds: float) -> None:
        """Time passes, and what was due happens."""
        self.books.clock.advance(seconds)
        self.books.happen()

    def platform_has(self, currency: str = "usd") -> int:
        """The platform's balance, pending and available together."""
        return sum(self.books.balance("", currency))


class Quiet(uvicorn.Server):
    """One that leaves the signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def playing(
    hostility: Hostility | None = None, *, clock: Clock | None = None, notify: str | None = None
) -> AsyncIterator[Playing]:
    """The stand-in on a free port, with a clock that stands still; `notify` is where its notices go."""
    books = Books(hostility=hostility or Hostility(), clock=clock or Clock())
    notifier = Notifier(books, url=notify, secret=WEBHOOK_SECRET, now=time.time) if notify else None
    stand_in = StandIn(books, stripe_description(), secret_key=KEY, notifier=notifier)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        books.address = f"http://127.0.0.1:{door.getsockname()[1]}"
        # A connection that is cut in the middle of an answer is an error for uvicorn, and meant so here.
        config = uvicorn.Config(
            stand_in.app(),
            log_config=None,
            access_log=False,
            date_header=False,
            lifespan="on",
            timeout_keep_alive=RESTS_SECONDS,
        )
        server = Quiet(config)
        work = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        try:
            yield Playing(stand_in, books.address)
        finally:
            server.should_exit = True
            await work
