"""Plays the soak from the first proposal to the verdict: people, followers and blows at once, then quiet, then the judges."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
from tortoise.context import TortoiseContext

from escrow import database, ids, pipeline, vault
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.accounts.commands import ConnectPayee
from escrow.database import configuration, fetch_value
from escrow.ids import Kind
from escrow.payments import payees
from escrow.payments.stripe.adapter import Stripe
from tests.earnest.running import free_port
from tests.factories import SECRET_KEY, Deployment, advance_past_deadlines, make_endpoint
from tests.soak.deployment import verdicts
from tests.soak.deployment.asking import ANSWER_SECONDS_MAX, Api, Person
from tests.soak.deployment.blows import Blows
from tests.soak.deployment.deals import Crowd
from tests.soak.deployment.following import Follower, Mirror
from tests.soak.deployment.processes import WEBS, WORKERS, House, house
from tests.soak.deployment.receiving import Receiver
from tests.soak.deployment.sittings import Sittings
from tests.soak.deployment.tallies import Figures
from tests.soak.deployment.watching import Watch
from tests.soak.judging import Wrong
from tests.soak.passing import pass_time, under_way
from tests.stand_ins.stripe import payees as told_stripe
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.serving import KEY, RETURN_URL, WEBHOOK_SECRET, Playing, playing
from tests.webhooks.partner import Partners, make_due, partners
from tests.workers import forking

SCOPES: Final = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE)
AT_ONCE: Final = 12
"""Deals that people are at, unless it is asked for more: on a busy machine it is their number that decides how fast it goes."""
PAID_EVERY: Final = 5
"""Of so many deals one is paid; the others are talked about."""
LOOKS_EVERY_SECONDS: Final = 1.0
TIME_PASSES_EVERY_SECONDS: Final = 2.0
QUIET_SECONDS_MAX: Final = 900.0
QUIET_LOOKS: Final = 3
"""So many looks in a row find nothing under way before it counts as quiet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be played."""

    commands: int = 10_000
    seed: int = 1
    blow_every: int = 60
    """Commands between two blows, on average."""
    at_once: int = AT_ONCE
    """Contracts that people are at, at a time."""
    seconds_max: float | None = None
    """After so long it ends with fewer commands."""
    long_stops: bool = False
    disk_mb: int | None = 500
    """How much room PostgreSQL has, on a disk that is full once; `None` if it has what the machine has."""

    @property
    def command(self) -> str:
        """What plays it again: who does what with each contract and what is done to whom is drawn from the seed, each by itself;
        how they meet is the machine's affair."""
        return (
            f"python -m tests.soak --commands {self.commands} --seed {self.seed} --blow-every {self.blow_every} "
            f"--at-once {self.at_once}"
        )

    def chance(self, of: str) -> random.Random:
        """The chance of one part of it, which no other part takes anything from."""
        return random.Random(f"{self.seed} {of}")

    @property
    def hostility(self) -> Hostility:
        """How the provider's stand-in behaves."""
        return Hostility(
            seed=self.seed,
            lost_requests=0.02,
            lost_answers=0.04,
            late_answers=0.01,
            late_work=0.01,
            conflicts=0.02,
            too_many=0.02,
            lists_behind=0.1,
            notices_never=0.2,
            notices_twice=0.2,
            notices_late=0.3,
            pending_seconds=6 * 3_600.0,
        )


class Soak:
    """One run of it; what shows why it went wrong is left in `folder`."""

    def __init__(
        self,
        asked: Asked,
        folder: Path,
        *,
        sittings: Sittings | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`sittings` are those that it is one of, and what former ones left."""
        self._asked = asked
        self._folder = folder
        self._sittings = sittings
        self._tell = tell
        self._moved_before = 0
        """Movements of money that the provider knew of when it began."""
        self.figures = Figures()

    async def run(self) -> Figures:
        """Play it. Raises `Wrong` at whatever is not as it was promised."""
        forking.begin()  # what processes import is imported while the engines start
        vault.use([SECRET_KEY])
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        notices = free_port()
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
            playing(self._asked.hostility, notify=f"http://127.0.0.1:{notices}/providers/stripe") as stand_in,
            partners() as partner,
            house(self._folder, self._engines, _variables(stand_in), door=notices, disk_mb=self._disk_mb) as one,
            TortoiseContext() as context,
        ):
            if self._sittings is not None:
                self._sittings.take_up(stand_in.books)
            await one.start()
            await context.init(config=configuration(one.engines.database_url))  # of these tasks; a test has another one
            api = Api(session, one.url, self._asked.chance("pauses"))
            provider = Stripe(stand_in.access())
            try:
                await self._play(one, api, stand_in, provider, partner)
            finally:
                await provider.close()
            if self._sittings is not None:
                self._sittings.end(self._asked.command, self.figures, stand_in.books)
        return self.figures

    @property
    def _engines(self) -> Path:
        return self._folder / "engines" if self._sittings is None else self._sittings.engines

    @property
    def _disk_mb(self) -> int | None:
        """What stays is on the machine's own disk."""
        return self._asked.disk_mb if self._sittings is None else None

    async def _play(self, one: House, api: Api, stand_in: Playing, provider: Stripe, partner: Partners) -> None:
        crowd, receivers = await self._settle(api, stand_in, provider, partner)
        self._moved_before = len(stand_in.books.of("balance_transaction"))
        followers = [
            Follower(api, person, by_socket, self._asked.chance(f"stream {number}"))
            for number, (person, by_socket) in enumerate(product((crowd.client, crowd.freelancer), (True, False)))
        ]
        mirrors = [Mirror(api, crowd.client), Mirror(api, crowd.freelancer)]
        watch = Watch(api)
        blows = Blows(
            one, crowd, watch, self._asked.chance("blows"), self._asked.blow_every, self._asked.long_stops, self._tell
        )
        if not one.has_small_disk:
            why = (
                "needs root, who may mount a small one"
                if self._disk_mb
                else "would be too large for memory, or has to stay"
            )
            self.figures.left_out.append(f"the disk that is full, which {why}")
        began = time.monotonic()
        following = [one.follow for one in followers]
        copying = [one.follow for one in mirrors]
        async with _beside(*following, *copying, watch.go_on):
            async with _beside(lambda: self._time_passes(stand_in)):
                await self._work_under_blows(crowd, blows)
                self.figures.seconds = time.monotonic() - began
                self._count(api, crowd, blows, watch, followers)
                await self._begin_anew(one)
            await self._until_quiet(stand_in)
            await self._until_all_is_heard(followers)
        for mirror in mirrors:
            await mirror.catch_up()
        if one.has_small_disk:
            self.figures.disk_mb = one.taken_mb()
        self.figures.quiet_seconds = time.monotonic() - began - self.figures.seconds
        self._count(api, crowd, blows, watch, followers)
        await self._judge(one, crowd, blows, followers, mirrors, receivers, stand_in, provider, partner)

    async def _work_under_blows(self, crowd: Crowd, blows: Blows) -> None:
        """People work until there were enough commands, and everything happened that shall happen."""
        last = time.monotonic() + self._asked.seconds_max if self._asked.seconds_max is not None else math.inf

        def enough() -> bool:
            return crowd.answered >= self._asked.commands or time.monotonic() > last

        struck = asyncio.create_task(blows.go_on(enough))
        kinds = iter(range(1 << 62))

        async def one_after_the_other() -> None:
            while not struck.done():
                number = next(kinds)
                await (crowd.pay() if number % PAID_EVERY == 0 else crowd.talk())

        async def look_around() -> None:
            while not struck.done():
                await crowd.look_around()
                await asyncio.sleep(LOOKS_EVERY_SECONDS)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._asked.at_once):
                group.create_task(one_after_the_other())
            group.create_task(look_around())
            await struck

    async def _settle(
        self, api: Api, stand_in: Playing, provider: Stripe, partner: Partners
    ) -> tuple[Crowd, dict[str, Receiver]]:
        """Two parties with keys, an endpoint each, and a freelancer who can be paid."""
        there = await (Deployment.beside() if await fetch_value(_SETTLED) else Deployment.make())
        client, freelancer = [await _with_key(actor, there.operator) for actor in (there.client, there.freelancer)]
        receivers: dict[str, Receiver] = {}
        for path, actor in (("/client", there.client), ("/freelancer", there.freelancer)):
            made = await make_endpoint(actor, partner.url(path), event_types=("*",))
            receivers[made.id] = partner.replies[path] = Receiver(path, made.secret)
        await pipeline.run(ConnectPayee(account_id=freelancer.account_id, provider="stripe"), by=there.freelancer)
        account = freelancer.account_id
        while not await fetch_value("SELECT can_be_paid FROM payees WHERE account_id = $1", account):
            name = await fetch_value("SELECT payee_id FROM payees WHERE account_id = $1", account)
            if name is not None:
                told_stripe.told(stand_in.books, name)
            await database.execute("UPDATE payees SET due_at = now() WHERE account_id = $1", account)
            await payees.look(provider, limit=1)
        return Crowd(api, client, freelancer, run=f"soak-{ids.new(Kind.EVENT)[-8:]}", seed=self._asked.seed), receivers

    async def _time_passes(self, stand_in: Playing) -> None:
        """Time passes for the provider, so that what waits there for hours comes."""
        while True:
            with suppress(*database.AWAY, asyncpg.InsufficientResourcesError):  # whose disk may be full
                await pass_time(stand_in)
            await asyncio.sleep(TIME_PASSES_EVERY_SECONDS)

    async def _begin_anew(self, one: House) -> None:
        """Everything dies once more. Nobody is left who could hold a lease: it is as if their time had passed."""
        for name in WEBS + WORKERS:
            await one.end(name)
        await advance_past_deadlines()
        for statement in _FREED:
            await database.execute(statement)
        await asyncio.gather(*(one.begin(name) for name in WEBS + WORKERS))

    async def _until_quiet(self, stand_in: Playing) -> None:
        """Nothing is under way any more, anywhere."""
        deadline = time.monotonic() + QUIET_SECONDS_MAX
        quiet = 0
        while quiet < QUIET_LOOKS:
            if not await fetch_value(_DUE):
                await pass_time(stand_in)
            await make_due()
            left = await self._left(stand_in)
            quiet = 0 if left else quiet + 1
            if time.monotonic() > deadline:
                raise Wrong(f"it never got quiet: {left}")
            await asyncio.sleep(0.3)

    async def _left(self, stand_in: Playing) -> list[str]:
        row = await database.fetch_row(_LEFT)
        assert row is not None
        left = [f"{count} {name}" for name, count in row.items() if count]
        return left + (await under_way())[: verdicts.SHOWN_MAX] + ([] if stand_in.is_quiet else ["the provider"])

    async def _until_all_is_heard(self, followers: list[Follower]) -> None:
        deadline = time.monotonic() + QUIET_SECONDS_MAX
        expected = {one.person.account_id: len(await verdicts.visible(one.person)) for one in followers}
        for one in followers:
            while len(one.heard) < expected[one.person.account_id] and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # who heard less in the end is judged

    async def _judge(
        self,
        one: House,
        crowd: Crowd,
        blows: Blows,
        followers: list[Follower],
        mirrors: list[Mirror],
        receivers: dict[str, Receiver],
        stand_in: Playing,
        provider: Stripe,
        partner: Partners,
    ) -> None:
        found = self.figures.found
        found["texts of commands, each there as often as was answered"] = await verdicts.judge_effects(crowd)
        found["operations in linearizable histories"] = await verdicts.judge_histories(crowd)
        found["offers that ended at their time"] = await verdicts.judge_deadlines(crowd, blows.watch)
        found["events heard by streams and mirrors"] = await verdicts.judge_followers(followers, mirrors)
        found["events taken by endpoints"] = await verdicts.judge_webhooks(receivers, partner)
        found["lines about faults, each explained by a blow"] = verdicts.judge_logs(one, blows)
        await verdicts.judge_books(stand_in, provider)
        movements = len(stand_in.books.of("balance_transaction"))
        found["movements of money, the same in both books"] = movements - self._moved_before

    def _count(self, api: Api, crowd: Crowd, blows: Blows, watch: Watch, followers: list[Follower]) -> None:
        commands = Counter({f"commands {name}": n for name, n in crowd.commands.items() if name != "queries"})
        self.figures.counts = commands + api.counts
        self.figures.counts |= Counter(
            {
                "contracts": len(crowd.deals),
                "queries": crowd.commands["queries"],
                "visits of streams": sum(one.visits for one in followers),
                "looks at the deadlines": watch.looks,
                "times that a deadline was late, and the light red": watch.red,
            }
        )
        self.figures.blows = blows.counts


async def _with_key(actor: Actor, operator: Actor) -> Person:
    token = tokens.new()
    creation = commands.CreateApiKey(
        account_id=actor.account_id or "", key_id=ids.new(Kind.KEY), name="Soak", scopes=SCOPES, token=token
    )
    await pipeline.run(creation, by=operator)
    return Person(actor, token.text)


def _variables(stand_in: Playing) -> dict[str, str]:
    return {
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": KEY,
        "EARNEST_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "EARNEST_STRIPE_RETURN_URL": RETURN_URL,
        "EARNEST_STRIPE_URL": stand_in.url,
    }


@asynccontextmanager
async def _beside(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Each is done while the context lasts. One that fails fails all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_as_coroutine(work)) for work in works]
        yield
        for task in tasks:
            task.cancel()


async def _as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()


_SETTLED: Final = "SELECT EXISTS (SELECT FROM accounts WHERE is_operator)"

_DUE: Final = "SELECT EXISTS (SELECT FROM payment_orders WHERE due_at <= now())"

_FREED: Final = (
    "UPDATE payment_orders SET due_at = now() WHERE lease_token IS NOT NULL",
    "UPDATE lanes SET due_at = now() WHERE token IS NOT NULL",
    "UPDATE deadline_sweeps SET free_at = clock_timestamp()",
)

_LEFT: Final = """
    SELECT (SELECT count(*) FROM log_pending) AS "events without a position",
        (SELECT count(*) FROM lanes WHERE due_at IS NOT NULL) AS lanes,
        (SELECT count(*) FROM deadlines WHERE due_at <= (SELECT clock_timestamp() + clock_offset FROM deployment)) AS deadlines
"""
