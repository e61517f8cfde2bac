"""A standby takes over under load without the last that the first one had: the same holds as after a restore.

The provider and the receiver of webhooks remember what the first one told them; the standby doesn't.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from escrow import cursors, cuts, database, log, terms
from escrow.audit import audit
from escrow.cuts import LogWasCut
from escrow.migrate import migrate
from escrow.payments import reconciliation
from escrow.payments.stripe.adapter import Stripe
from escrow.queries import feed
from tests.earnest.restored import connected_to, until, write_contracts
from tests.earnest.standing_by import asked, follows, standby_of
from tests.escrow.payments.losing import funded, onboard, work
from tests.escrow.payments.stage import Deal, order
from tests.factories import Deployment, make_endpoint
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.stripe.books import Clock
from tests.stand_ins.stripe.serving import Playing, playing
from tests.webhooks.partner import Arrival, Desk, Partners, delivery_worker, matching, partners, settled
from webhooks.audit import audit_deliveries


@pytest.fixture(autouse=True)
def terms_of_before() -> Iterator[None]:
    yield
    terms.use(terms.Terms())


@dataclass(frozen=True, slots=True)
class Before:
    """What the first one left behind when it died."""

    deployment: Deployment
    deal: Deal
    payee: str
    gone: str
    """The order of a payout that the standby lacks."""
    kept: int
    """The last position that the standby has."""
    seen: int
    """The last one that the first one gave."""


async def test_a_standby_that_lacked_the_newest_loses_and_doubles_nothing_of_the_providers_or_of_webhooks(
    tmp_path: Path,
) -> None:
    (tmp_path / "second").mkdir(mode=0o711)
    async with (
        playing(clock=Clock(offset=0, real=time.time)) as stand_in,
        partners() as partner,
        Engines(tmp_path / "first") as first,
    ):
        stripe = Stripe(stand_in.access())
        terms.use(stripe.terms)
        await migrate(first.database_url)
        try:
            async with standby_of(first, tmp_path / "second") as second:
                before = await _until_the_first_dies(first, second, stripe, stand_in, partner)
                assert await asked(second.url, f"SELECT pg_promote(true, {round(PATIENCE_SECONDS)})")
                async with connected_to(second.url):
                    await _the_second_goes_on(before, stripe, stand_in, partner)
        finally:
            await stripe.close()


async def _until_the_first_dies(
    first: Engines, second: EmbeddedPostgres, stripe: Stripe, stand_in: Playing, partner: Partners
) -> Before:
    async with connected_to(first.database_url):
        deployment = await Deployment._made(0, 0)
        await make_endpoint(deployment.client, partner.url(), event_types=("*",))
        deal = Deal(await deployment.activate("100.00"), deployment)
        payee = await onboard(deal, stripe, stand_in)
        await funded(stripe, stand_in, deal)
        with suppress(*database.AWAY):  # whatever the first one's end makes of its worker
            async with delivery_worker() as desk:
                await _sequenced(desk)
                await settled()
                partner.hold()  # what comes now is under way when the first one dies
                told = len(partner.arrivals)
                await deal.approve()
                kept = await _sequenced(desk)
                await until(partial(_comes_of, deal.id, partner, told), "what the standby has is on its way")
                await follows(first, second)
                await _no_longer_follows(second)

                stop = asyncio.Event()
                load = asyncio.create_task(write_contracts(deployment, stop))
                void = await deployment.propose("10.00")
                gone = await deal.request_payout()
                await work(stripe, stand_in, until="PAID", order_id=gone)
                seen = await _sequenced(desk)
                assert seen > kept
                await until(partial(_comes_of, void.id, partner, told), "what the standby lacks is on its way")
                _kill(first)
                with suppress(Exception):  # whatever the first one's end makes of it
                    await load
    return Before(deployment, deal, payee, gone, kept, seen)


async def _the_second_goes_on(before: Before, stripe: Stripe, stand_in: Playing, partner: Partners) -> None:
    """With a worker of its own; the leases of the first one's have ended."""
    told_by_the_first = len(partner.arrivals)
    partner.let_go()
    await database.execute("UPDATE lanes SET due_at = clock_timestamp() WHERE token IS NOT NULL")
    async with delivery_worker() as desk:
        stop = asyncio.Event()
        load = asyncio.create_task(write_contracts(before.deployment, stop))
        order_id = await before.deal.request_payout()
        last = await _sequenced(desk)
        cut = await cuts.last()
        assert cut is not None, "nobody had to say so"
        assert before.kept <= cut.kept_position < before.seen < cut.first_position <= last
        client = before.deployment.client
        with pytest.raises(LogWasCut):
            await feed.changes_page(client, after=before.seen, limit=10)
        assert (await feed.changes_page(client, after=before.kept, limit=10)).position > before.kept
        await work(stripe, stand_in, until="PAID", order_id=order_id)
        assert (await order(order_id))["known_as"] == before.gone
        assert len(stand_in.books.of("transfer")) == 1
        assert len(stand_in.books.of("payout", before.payee)) == 1
        stop.set()
        assert await load > 0
        await _sequenced(desk)
        await until(_is_told, "the receiver is told of the cut")
        await settled()
        await _webhooks_went_on(partner, partner.arrivals[told_by_the_first:], cut)
        assert [one async for one in audit()] == []
        assert [one async for one in audit_deliveries()] == []
        assert (await reconciliation.reconcile(stripe, settling=-stripe.ahead * 2)).found == []
        assert stand_in.violations == []


async def _sequenced(desk: Desk) -> int:
    await desk.fan_out()
    return await log.last_position()


async def _comes_of(contract_id: str, partner: Partners, after: int) -> bool:
    """Whether the receiver was told of a contract since it had been told so much."""
    return any(arrival.stream == contract_id for arrival in partner.arrivals[after:])


async def _is_told() -> object:
    """Whether there is word of the cut, and nobody will make any more."""
    return await database.fetch_value(
        "SELECT EXISTS (SELECT FROM deliveries WHERE kind = 'LOG_CUT') "
        "AND NOT EXISTS (SELECT FROM log_cuts WHERE untold_after IS NOT NULL)"
    )


async def _webhooks_went_on(partner: Partners, of_the_second: Sequence[Arrival], cut: cuts.Cut) -> None:
    """All that the log has of before the cut and after it came, and once the word which of what was told is void."""
    assert {event_id for event_id, _ in await matching()} <= set(partner.accepted())
    kept, first = cursors.print_cursor(cut.kept_position), cursors.print_cursor(cut.first_position)
    assert {kept, first} <= {arrival.position for arrival in of_the_second}
    (notice,) = (one.body["data"]["event"]["data"] for one in partner.arrivals if one.body["type"] == "log.cut")
    assert (notice["keptCursor"], notice["firstCursor"]) == (kept, first)


async def _no_longer_follows(second: EmbeddedPostgres) -> None:
    """As if the line between the two had broken."""
    await asked(second.url, "ALTER SYSTEM SET primary_conninfo = ''")
    await asked(second.url, "SELECT pg_reload_conf()")

    async def is_alone() -> object:
        return await asked(second.url, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")

    await until(is_alone, "the standby is alone")


def _kill(first: Engines) -> None:
    first.processes()["PostgreSQL"].send_signal(signal.SIGQUIT)
