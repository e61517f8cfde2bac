"""Plays the soak: rounds of contracts, workers that die, a stand-in at its worst, and a look at the books when it is quiet.

Time is made to pass on both sides at once, whenever the workers have done all that is due: on the stand-in's clock, and in what
our rows remember of their calls and when they come again; so a key that the stand-in forgot is a key that we know to be
forgotten. A quiet moment is one at which nobody works, nothing is on its way or will come, and looking again at what is finished
finds nothing new: of what came back unheard, only a look tells.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.live.door import Door as Shared
from api.providers import ProviderNotices
from escrow import bell, database
from escrow.database import fetch, fetch_value
from escrow.payments import orders
from escrow.payments.results import Hint
from escrow.payments.stripe.adapter import Stripe
from schema.build import runner
from tests.factories import Deployment
from tests.patience import RESTS_SECONDS
from tests.soak import judging
from tests.soak.figures import Figures
from tests.soak.judging import Wrong
from tests.soak.killing import ALL_AT_ONCE, Workers
from tests.soak.passing import pass_time, under_way
from tests.soak.people import Crowd
from tests.stand_ins.stripe.hostility import WORST, Hostility
from tests.stand_ins.stripe.serving import Playing, Quiet, playing
from tests.workers.process import worker_environment

KILL_EVERY: Final = 60
"""How many requests workers make before some are killed, on average."""
QUIET_STEPS: Final = 3
"""So many looks in a row find nothing under way, and nothing that has changed, before it counts as quiet."""
PATIENCE_SECONDS: Final = 3_600.0
PATIENCE_SECONDS_A_DEAL: Final = 2.0
"""How long a round may take; a machine may be busy."""
WORKED_OFF_SECONDS_MAX: Final = 60.0
LEASED_SECONDS_MAX: Final = 1.0
LOOK_EVERY_STEPS: Final = 100
"""How often the balance is compared while money moves."""
TIDY_EVERY_STEPS: Final = 10
"""How often dead rows are swept: time that passes leaves one of each call, and the tests' PostgreSQL doesn't do so by itself."""
LOOKED_AT_AGAIN: Final = 200
"""So many orders of former rounds are looked at again when a round is quiet, beside all of its own."""


HOSTILITY: Final = replace(WORST, pending_seconds=6 * 3_600.0)
"""Money is there soon: workers, who don't know how far ahead the stand-in's clock is, would ask for it time and again."""


class Soak:
    """One run. `database_url` has Tortoise initialised on it; what shows why it went wrong is left in `folder`."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        folder: Path,
        *,
        hostility: Hostility = HOSTILITY,
        kill_every: int = KILL_EVERY,
        all_at_once: float = ALL_AT_ONCE,
    ) -> None:
        self._environ = worker_environment(database_url, redis_url)
        self._redis_url = redis_url
        self._folder = folder
        self._hostility = hostility
        self._kill_every = kill_every
        self._all_at_once = all_at_once
        self._rng = random.Random(hostility.seed)
        self._failed_notices: list[str] = []
        """Why notices were not taken, if our door broke: then it was we who lost them."""
        self.figures = Figures()

    async def run(self, deals: int, *, a_round: int) -> Figures:
        """So many contracts in rounds, each of which ends in a quiet moment.

        Raises `Wrong` on any difference, double or loss.
        """
        began = time.monotonic()
        async with _door(self._failed_notices) as door, playing(self._hostility, notify=door.url) as stand_in:
            provider = Stripe(stand_in.access())
            door.take = ProviderNotices(provider).take
            await database.execute("SELECT 1")
            await bell.connect(self._redis_url)
            crowd = Crowd(await Deployment.make(), stand_in.books, seed=self._hostility.seed)
            try:
                await crowd.onboard(provider, deals=deals)
                async with self._workers(stand_in).dying():
                    while deals > 0:
                        await self._round(min(deals, a_round), crowd, stand_in, provider)
                        deals -= a_round
                        self.figures.seconds = time.monotonic() - began
                        await self._count(stand_in, crowd)
                judging.judge_logs(self._folder)
                await judging.judge(stand_in, provider)
            except BaseException:
                self.figures.seconds = time.monotonic() - began
                await self._count(stand_in, crowd)
                await judging.keep_evidence(self._folder, stand_in.books)
                raise
            finally:
                await provider.close()
                await bell.disconnect()
        return self.figures

    async def _round(self, deals: int, crowd: Crowd, stand_in: Playing, provider: Stripe) -> None:
        before = await fetch_value("SELECT coalesce(max(id), '') FROM payment_orders")
        beginning = asyncio.create_task(crowd.begin(deals))
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS + PATIENCE_SECONDS_A_DEAL * deals
            await self._until_quiet(beginning, deadline, before, crowd, stand_in, provider)
        finally:
            beginning.cancel()
            await asyncio.gather(beginning, return_exceptions=True)
        if self._failed_notices:
            raise Wrong("notices could not be taken: " + ", ".join(sorted(set(self._failed_notices))))
        await judging.judge(stand_in, provider, audited_until=before)
        self.figures.quiet_moments += 1

    def _workers(self, stand_in: Playing) -> Workers:
        environ = self._environ | {
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": "rk_test_stand_in",
            "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_stand_in",
            "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/paid",
            "EARNEST_STRIPE_URL": stand_in.url,
        }

        def killed() -> None:
            self.figures.kills += 1

        workers = Workers(
            environ,
            self._folder,
            seed=self._hostility.seed,
            every=self._kill_every,
            all_at_once=self._all_at_once,
            killed=killed,
        )
        stand_in.stand_in.moment = workers.moment
        return workers

    async def _until_quiet(
        self,
        beginning: asyncio.Task[None],
        deadline: float,
        before: str,
        crowd: Crowd,
        stand_in: Playing,
        provider: Stripe,
    ) -> None:
        """People go on and time passes until nothing is under way any more, also for those who look again."""
        quiet = steps = 0
        settled: dict[str, str] = {}  # how contracts stood when they were last looked at again
        stood: dict[str, str] = {}
        former = [row["id"] for row in await fetch(_SOME_OF_BEFORE, before, LOOKED_AT_AGAIN)]
        while True:
            if time.monotonic() > deadline:
                raise Wrong(f"it never got quiet: {(await under_way())[: judging.SHOWN_MAX]}")
            steps += 1
            await crowd.go_on()
            if beginning.done():
                await beginning
                await self._worked_off()
                await pass_time(stand_in)
            if steps % TIDY_EVERY_STEPS == 0:
                await database.execute("VACUUM ANALYZE payment_orders, provider_calls, contracts")
            if steps % LOOK_EVERY_STEPS == 0:
                await judging.look_between(provider)
                self.figures.looks += 1
            await asyncio.sleep(0.05)
            if not beginning.done() or not stand_in.is_quiet or await under_way():
                quiet = 0
                continue
            looked_at = former + [row["id"] for row in await fetch(_SINCE, before)]
            stands = await self._stands(looked_at)
            quiet, stood = quiet + 1 if stands == stood else 1, stands
            if quiet >= QUIET_STEPS:
                if not await self._looked_again(looked_at, settled, stands):
                    return
                settled, quiet = stands, 0

    async def _stands(self, order_ids: list[str]) -> dict[str, str]:
        """How the orders of these orders' contracts stand, and what was asked of the provider for them."""
        return {row["contract_id"]: row["stands"] for row in await fetch(_STANDS, order_ids)}

    async def _looked_again(self, looked_at: list[str], settled: dict[str, str], stands: dict[str, str]) -> bool:
        """Have everything looked at again first, and then the contracts in which the last look changed anything, since what came
        of that may come back unheard as well; whether there was any. A look that goes wrong comes again by itself."""
        if settled:
            changed = [contract for contract, standing in stands.items() if settled.get(contract) != standing]
            rows = await fetch("SELECT id FROM payment_orders WHERE contract_id = ANY ($1::text[])", changed)
            looked_at = [row["id"] for row in rows]
        await orders.nudge([Hint(order_id=one) for one in looked_at])
        return bool(looked_at)

    async def _worked_off(self) -> None:
        """Wait until nothing is due, and a moment for what is being done: what a dead worker held comes when its lease is over.
        Not always: time may pass at any moment."""
        if self._rng.random() < 0.1:
            return
        for sql, seconds in ((_DUE, WORKED_OFF_SECONDS_MAX), (_LEASED, LEASED_SECONDS_MAX)):
            deadline = time.monotonic() + seconds
            while await fetch_value(sql) and time.monotonic() < deadline:  # noqa: ASYNC110 - workers tell us nothing
                await asyncio.sleep(0.05)

    async def _count(self, stand_in: Playing, crowd: Crowd) -> None:
        figures, played = self.figures, stand_in.stand_in
        for row in await fetch("SELECT kind, state, count(*) AS n FROM payment_orders GROUP BY kind, state"):
            figures.orders[f"{row['kind']} {row['state']}".lower()] = row["n"]
        figures.requests = played.requests
        figures.faults = Counter({fault.value.lower(): n for fault, n in played.faults.items()})
        figures.disputes = Counter(one["status"] for one in stand_in.books.of("dispute").values())
        if played.notifier is not None:
            figures.notices_taken, figures.notices_lost = played.notifier.taken, played.notifier.refused
        figures.violations = len(stand_in.violations)
        figures.movements = len(stand_in.books.of("balance_transaction"))
        figures.balance_minor = stand_in.platform_has()
        figures.fees_minor = sum(one["fee"] for one in stand_in.books.of("balance_transaction").values())
        figures.stuck = len(crowd.stuck)


@dataclass(slots=True)
class Door:
    """Where notices arrive: our own door, and nothing else of the application."""

    url: str
    take: Callable[[Request], Awaitable[Response]] | None = None


@asynccontextmanager
async def _door(failed: list[str]) -> AsyncIterator[Door]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        door = Door(f"http://127.0.0.1:{listening.getsockname()[1]}/providers/stripe")

        async def take(request: Request) -> Response:
            assert door.take is not None
            try:
                return await door.take(request)
            except Exception as error:
                failed.append(repr(error))
                raise

        app = Starlette(routes=[Route("/providers/{name}", take, methods=["POST"])])
        app.state.door = Shared(runner=runner())
        server = Quiet(uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=RESTS_SECONDS))
        work = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        try:
            yield door
        finally:
            server.should_exit = True
            await work


_DUE: Final = "SELECT EXISTS (SELECT FROM payment_orders WHERE lease_token IS NULL AND due_at <= now())"

_LEASED: Final = "SELECT EXISTS (SELECT FROM payment_orders WHERE lease_token IS NOT NULL)"

_STANDS: Final = """
    SELECT contract_id, string_agg(ROW (id, state, is_stuck, ARRAY(
        SELECT ROW (step, attempt, provider_id, is_over) FROM provider_calls WHERE order_id = payment_orders.id
        ORDER BY step, attempt))::text, ' ' ORDER BY id) AS stands
    FROM payment_orders WHERE contract_id IN (SELECT contract_id FROM payment_orders WHERE id = ANY ($1::text[]))
    GROUP BY contract_id
"""

_SINCE: Final = "SELECT id FROM payment_orders WHERE id > $1"

_SOME_OF_BEFORE: Final = "SELECT id FROM payment_orders WHERE id <= $1 ORDER BY random() LIMIT $2"
