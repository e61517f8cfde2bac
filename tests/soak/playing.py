"""Plays the soak: rounds of contracts, workers that die, a stand-in at its worst, and a look at the books when it is quiet.

Time is made to pass on both sides at once: on the stand-in's clock, and in what our rows remember of their calls; so a key that
the stand-in forgot is a key that we know to be forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.providers import ProviderNotices
from escrow import database
from escrow.accounts.commands import ConnectPayee
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.payments import orders, payees, reconciliation
from escrow.payments.results import Hint, ProviderError
from escrow.payments.stripe.adapter import Stripe
from escrow.pipeline import run
from tests.factories import Deployment
from tests.soak.people import Crowd
from tests.stand_ins.stripe import payees as told_stripe
from tests.stand_ins.stripe.hostility import WORST, Hostility
from tests.stand_ins.stripe.serving import Playing, Quiet, playing
from tests.workers.process import ROOT, worker_environment

WORKERS: Final = 2
KILL_AFTER_SECONDS: Final = 8.0
"""How long a worker works before it is killed, on average."""
STEP_SECONDS: Final = 7_200.0
SMALL_STEP_SECONDS: Final = 600.0
"""How far time jumps at once; the small step while somebody waits for an answer, since a key is forgotten after a day."""
QUIET_STEPS: Final = 3
"""So many looks in a row find nothing under way before it counts as quiet."""
PATIENCE_SECONDS: Final = 900.0
AT_ANY_TIME: Final = timedelta(days=-1_000)
"""The stand-in's clock runs ahead of ours: no movement is too new to be judged."""


@dataclass(slots=True)
class Figures:
    """What happened, for whoever runs it."""

    orders: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    quiet_moments: int = 0
    balance_minor: int = 0
    fees_minor: int = 0
    violations: int = 0
    stuck: int = 0
    seconds: float = 0

    def lines(self) -> list[str]:
        """For reading."""
        return [
            f"orders                 {sum(self.orders.values())}: " + _listed(self.orders),
            f"requests to Stripe     {self.requests}, of which went wrong: " + _listed(self.faults),
            f"workers killed         {self.kills}",
            f"quiet moments          {self.quiet_moments}, at each of which both books said the same",
            f"at the end             {self.balance_minor / 100:.2f} USD at the provider, {self.fees_minor / 100:.2f} USD of fees",
            f"violations             {self.violations} of Stripe's description, either way",
            f"left to a person       {self.stuck}",
            f"time                   {self.seconds:.0f} s",
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


class Soak:
    """One run. `database_url` has Tortoise initialised on it."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, *, hostility: Hostility = WORST) -> None:
        self._database_url = database_url
        self._redis_url = redis_url
        self._folder = folder
        self._hostility = hostility
        self._rng = random.Random(hostility.seed)
        self.figures = Figures()

    async def run(self, deals: int, *, a_round: int) -> Figures:
        """So many contracts in rounds, each of which ends in a quiet moment. Raises `AssertionError` on any difference."""
        began = time.monotonic()
        async with _door() as door, playing(self._hostility, notify=door.url) as stand_in:
            provider = Stripe(stand_in.access())
            door.take = ProviderNotices(provider).take
            await database.execute("SELECT 1")
            crowd = Crowd(await Deployment.make(), stand_in.books, seed=self._hostility.seed)
            await self._onboard(crowd, stand_in, provider)
            async with self._workers(stand_in):
                while deals > 0:
                    await crowd.begin(min(deals, a_round))
                    deals -= a_round
                    await self._until_quiet(crowd, stand_in)
                    await self._compare(stand_in, provider)
            await provider.close()
            await self._count(stand_in)
            self.figures.stuck = len(crowd.stuck)
        self.figures.seconds = time.monotonic() - began
        return self.figures

    async def _onboard(self, crowd: Crowd, stand_in: Playing, provider: Stripe) -> None:
        """The freelancer asks to be paid, tells the provider everything, and is looked at until nothing of it is lost."""
        freelancer = crowd.deployment.freelancer
        await run(ConnectPayee(account_id=str(freelancer.account_id), provider="stripe"), by=freelancer)
        while not await fetch_value("SELECT can_be_paid FROM payees"):
            name = await fetch_value("SELECT payee_id FROM payees")
            if name is not None:
                told_stripe.told(stand_in.books, name)
            await database.execute("UPDATE payees SET due_at = now()")
            await payees.look(provider, limit=1)

    @asynccontextmanager
    async def _workers(self, stand_in: Playing) -> AsyncIterator[None]:
        keepers = [asyncio.create_task(self._keep_killing(stand_in, number)) for number in range(WORKERS)]
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep_killing(self, stand_in: Playing, number: int) -> None:
        """A worker, killed at random moments and started again; the last one is killed as well."""
        environ = worker_environment(self._database_url, self._redis_url) | {
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": "rk_test_stand_in",
            "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_stand_in",
            "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/paid",
            "EARNEST_STRIPE_URL": stand_in.url,
        }
        while True:
            log = self._folder / f"worker-{number}.log"
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "earnest", "worker"), env=environ, cwd=ROOT, stdout=output, stderr=output
                )
            try:
                while b"worker works" not in log.read_bytes():  # noqa: ASYNC110 - another process tells us nothing
                    await asyncio.sleep(0.1)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), KILL_AFTER_SECONDS * 2 * self._rng.random())
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            self.figures.kills += 1

    async def _until_quiet(self, crowd: Crowd, stand_in: Playing) -> None:
        """People go on and time passes until nothing is under way any more, also for those who look again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        quiet = 0
        while quiet < QUIET_STEPS:
            assert time.monotonic() < deadline, await self._under_way()
            await crowd.go_on()
            unanswered = await fetch_value(_UNANSWERED)
            await self._pass(stand_in, SMALL_STEP_SECONDS if unanswered else STEP_SECONDS)
            await asyncio.sleep(0.3)
            is_quiet = not await self._under_way() and not stand_in.books.notices and not stand_in.books.due
            quiet = quiet + 1 if is_quiet else 0
            if quiet == 1:
                await orders.nudge([Hint(order_id=row["id"]) for row in await fetch("SELECT id FROM payment_orders")])

    async def _pass(self, stand_in: Playing, seconds: float) -> None:
        """Time passes for both; when only what is far away is left, it passes faster."""
        books = stand_in.books
        if not await self._under_way() and books.due:
            seconds = max(seconds, books.due[0][0] - books.clock.now())
        await database.execute(
            "UPDATE provider_calls SET called_at = called_at - $1::float8 * interval '1 second'", seconds
        )
        stand_in.pass_time(seconds)
        await database.execute("UPDATE payment_orders SET due_at = now() WHERE due_at > now() AND lease_token IS NULL")

    async def _under_way(self) -> list[str]:
        """What somebody still works on, or will."""
        rows = await fetch(_UNDER_WAY)
        return [f"{row['id']} {row['kind']} {row['state']}" for row in rows]

    async def _compare(self, stand_in: Playing, provider: Stripe) -> None:
        """The one balance and the other, with the fees that only the provider's books tell; and the audit."""
        differences = await _reconciled(provider)
        clearing = await fetch_value(_CLEARING)
        fees = sum(one["fee"] for one in stand_in.books.of("balance_transaction").values())
        found = stand_in.platform_has()
        said = f"the provider has {found}, having taken {fees}; the ledger says {clearing}"
        assert found == clearing, "\n".join([said, *differences])
        assert [difference async for difference in audit()] == []
        assert stand_in.violations == []
        self.figures.quiet_moments += 1
        self.figures.balance_minor, self.figures.fees_minor = found, fees

    async def _count(self, stand_in: Playing) -> None:
        for row in await fetch("SELECT kind, state, count(*) AS n FROM payment_orders GROUP BY kind, state"):
            self.figures.orders[f"{row['kind']} {row['state']}".lower()] = row["n"]
        self.figures.requests = stand_in.stand_in.requests
        self.figures.faults = Counter({fault.value.lower(): n for fault, n in stand_in.stand_in.faults.items()})
        self.figures.violations = len(stand_in.violations)


async def _reconciled(provider: Stripe) -> list[str]:
    """What differs. Reading the provider's books goes wrong as everything else does; it is tried until it doesn't."""
    for _ in range(50):
        with contextlib.suppress(ProviderError):
            return [str(one) for one in await reconciliation.reconcile(provider, settling=AT_ANY_TIME)]
    raise AssertionError("the provider's books could not be read")


@dataclass(slots=True)
class Door:
    """Where notices arrive: our own door, and nothing else of the application."""

    url: str
    take: Callable[[Request], Awaitable[Response]] | None = None


@asynccontextmanager
async def _door() -> AsyncIterator[Door]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        door = Door(f"http://127.0.0.1:{listening.getsockname()[1]}/providers/stripe")

        async def take(request: Request) -> Response:
            assert door.take is not None
            return await door.take(request)

        app = Starlette(routes=[Route("/providers/{name}", take, methods=["POST"])])
        server = Quiet(uvicorn.Config(app, log_config=None, access_log=False))
        work = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        try:
            yield door
        finally:
            server.should_exit = True
            await work


_UNANSWERED: Final = """
    SELECT EXISTS (
        SELECT FROM provider_calls JOIN payment_orders ON payment_orders.id = order_id
        WHERE provider_id IS NULL AND NOT is_over AND state IN ('STARTED', 'FAILED'))
"""

# A refund of a charge that the bank has taken back is refused for ever: the client has the money already.
_UNDER_WAY: Final = """
    SELECT id, kind, state FROM payment_orders
    WHERE lease_token IS NOT NULL OR state = 'STARTED' OR (state IN ('ABANDONED', 'PAID') AND due_at IS NOT NULL)
    OR (state = 'FAILED' AND kind = 'REFUND' AND NOT EXISTS (
        SELECT FROM deposits WHERE deposits.id = deposit_id AND reversal IS NOT NULL))
"""

_CLEARING: Final = """
    SELECT coalesce(sum(CASE WHEN debit = 'clearing:USD' THEN amount_minor ELSE -amount_minor END), 0)::bigint
    FROM transfers WHERE 'clearing:USD' IN (debit, credit)
"""
