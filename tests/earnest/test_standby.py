"""A standby takes over under load without the last that the first one had: the same holds as after a restore."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from escrow import cuts, log, terms
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
from tests.factories import Deployment
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.stripe.books import Clock
from tests.stand_ins.stripe.serving import Playing, playing
from webhooks.audit import audit_deliveries


@pytest.fixture(autouse=True)
def terms_of_before() -> Iterator[None]:
    yield
    terms.use(terms.Terms())


async def _sequenced() -> int:
    while await log.sequence():
        pass
    return await log.last_position()


async def test_a_standby_that_lacked_the_newest_loses_and_doubles_nothing_of_the_providers(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir(mode=0o711)
    async with playing(clock=Clock(offset=0, real=time.time)) as stand_in, Engines(tmp_path / "first") as first:
        stripe = Stripe(stand_in.access())
        terms.use(stripe.terms)
        await migrate(first.database_url)
        try:
            async with standby_of(first, tmp_path / "second") as second:
                await _play(first, second, stripe, stand_in)
        finally:
            await stripe.close()


async def _play(first: Engines, second: EmbeddedPostgres, stripe: Stripe, stand_in: Playing) -> None:
    async with connected_to(first.database_url):
        deployment = await Deployment._made(0, 0)
        deal = Deal(await deployment.activate("100.00"), deployment)
        payee = await onboard(deal, stripe, stand_in)
        await funded(stripe, stand_in, deal)
        await deal.approve()
        kept = await _sequenced()
        await follows(first, second)
        await _no_longer_follows(second)

        stop = asyncio.Event()
        load = asyncio.create_task(write_contracts(deployment, stop))
        gone = await deal.request_payout()
        await work(stripe, stand_in, until="PAID", order_id=gone)
        seen = await _sequenced()
        assert seen > kept
        _kill(first)
        with suppress(Exception):  # whatever the first one's end makes of it
            await load

    assert await asked(second.url, f"SELECT pg_promote(true, {round(PATIENCE_SECONDS)})")
    async with connected_to(second.url):
        stop = asyncio.Event()
        load = asyncio.create_task(write_contracts(deployment, stop))
        order_id = await deal.request_payout()
        last = await _sequenced()
        cut = await cuts.last()
        assert cut is not None, "nobody had to say so"
        assert kept <= cut.kept_position < seen < cut.first_position <= last
        with pytest.raises(LogWasCut):
            await feed.changes_page(deployment.client, after=seen, limit=10)
        assert (await feed.changes_page(deployment.client, after=kept, limit=10)).position > kept
        await work(stripe, stand_in, until="PAID", order_id=order_id)
        assert (await order(order_id))["known_as"] == gone
        assert len(stand_in.books.of("transfer")) == 1
        assert len(stand_in.books.of("payout", payee)) == 1
        stop.set()
        assert await load > 0
        await _sequenced()
        assert [one async for one in audit()] == []
        assert [one async for one in audit_deliveries()] == []
        assert (await reconciliation.reconcile(stripe, settling=-stripe.ahead * 2)).found == []
        assert stand_in.violations == []


async def _no_longer_follows(second: EmbeddedPostgres) -> None:
    """As if the line between the two had broken."""
    await asked(second.url, "ALTER SYSTEM SET primary_conninfo = ''")
    await asked(second.url, "SELECT pg_reload_conf()")

    async def is_alone() -> object:
        return await asked(second.url, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")

    await until(is_alone, "the standby is alone")


def _kill(first: Engines) -> None:
    first.processes()["PostgreSQL"].send_signal(signal.SIGQUIT)
