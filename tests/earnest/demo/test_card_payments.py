"""The whole product on the stand-in for Stripe: `earnest demo --story stripe`, and what it leaves in both books."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from earnest.api_client import ApiError
from earnest.commands import demo
from earnest.demo.people import STRIPE, cast_of, make_people
from earnest.demo.timeline import Event
from earnest.run import stand_in
from earnest.run.refusing import CannotStart
from escrow.audit import audit
from escrow.database import fetch_value
from escrow.environment import SettingError
from escrow.payments import reconciliation
from escrow.payments.stripe.adapter import Stripe
from tests.earnest.demo.test_demo import operator_key, web
from tests.stand_ins.stripe.books import Clock
from tests.stand_ins.stripe.notifications import Notifier
from tests.stand_ins.stripe.serving import KEY, WEBHOOK_SECRET, Playing, playing
from tests.workers.process import worker

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "stories" / "stripe.md"


def shown_on_the_page() -> list[str]:
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(shown).splitlines()


async def test_the_demo_tells_it_on_a_deployment_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    await demo.tell(None, None, bodies=True, story="stripe")
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"')]
    assert [event["type"] for event in told] == [line.strip() for line in shown_on_the_page() if line.startswith(" ")]


@asynccontextmanager
async def on_the_stand_in(database: str, redis_url: str, folder: Path) -> AsyncIterator[tuple[str, Playing]]:
    """A deployment that takes the stand-in for Stripe; gives its address. The stand-in's clock is the real one."""
    async with playing(clock=Clock(offset=0, real=time.time)) as there:
        variables = {
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": KEY,
            "EARNEST_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "EARNEST_STRIPE_RETURN_URL": "http://127.0.0.1:9/",
            "EARNEST_STRIPE_URL": there.url,
        }
        async with (
            web(database, redis_url, folder / "web.log", provider=variables) as url,
            worker(database, redis_url, folder / "worker.log", provider=variables),
        ):
            notices = f"{url}/providers/stripe"
            there.stand_in.notifier = Notifier(there.books, url=notices, secret=WEBHOOK_SECRET, now=time.time)
            yield url, there


async def test_the_story_makes_the_events_of_its_page_and_leaves_books_that_agree_to_the_cent(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    async with on_the_stand_in(database, redis_url, tmp_path) as (url, there):
        people = await make_people(url, await operator_key())
        told: list[str] = []

        def show(event: Event) -> None:
            told.append(f"    {event['type']}")

        story = cast_of(people, STRIPE, say=told.append, show=show)
        await story.tell(people.client.account, people.freelancer.account)
        assert told == shown_on_the_page()
        stripe = Stripe(there.access())
        assert (await reconciliation.reconcile(stripe)).found == []
        assert stripe.ahead > timedelta(days=2), "its clock went ahead by days"
        there.books.drawer().purses["usd"].available += 1
        (newest,) = sorted(there.books.of("balance_transaction").values(), key=lambda one: one["created"])[-1:]
        newest["net"] += 1
        newest["amount"] += 1
        await fetch_value("DELETE FROM provider_movements WHERE id = $1 RETURNING 1", newest["id"])
        (contract,) = [one for one in (await reconciliation.reconcile(stripe)).found if one.kind == "CONTRACT"]
        assert contract.provider_minor == contract.ledger_minor + 1, "and it is judged, to the newest movement"
        await stripe.close()
        there.books.drawer().purses["usd"].available -= 1
        assert [difference async for difference in audit()] == []
        clearing = (
            "SELECT coalesce(sum(CASE WHEN debit = 'clearing:USD' THEN amount_minor ELSE -amount_minor END), 0)::bigint"
        )
        assert await fetch_value(f"{clearing} FROM transfers WHERE 'clearing:USD' IN (debit, credit)") == (
            there.platform_has()
        )
        (payee,) = there.books.of("account")
        payouts = there.books.of("payout", payee)
        assert sorted(one["status"] for one in payouts.values()) == ["failed", "paid"]
        assert there.violations == []


async def test_where_no_stand_in_plays_stripe_the_story_ends_with_that(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log"),
    ):
        people = await make_people(url, await operator_key())
        story = cast_of(people, STRIPE, say=lambda _: None, show=lambda _: None)
        with pytest.raises(ApiError, match="is this a deployment with `--provider stripe-stand-in`"):
            await story.tell(people.client.account, people.freelancer.account)


def test_the_stand_in_meets_no_data_of_value() -> None:
    with pytest.raises(CannotStart, match="built-in engines"):
        stand_in.variables({"DATABASE_URL": "postgres://u:p@db/earnest", "REDIS_URL": "redis://r"})


def test_without_a_checkout_there_is_no_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_in, "CHECKOUT", tmp_path)
    with pytest.raises(CannotStart, match="checkout"):
        stand_in.variables({})


def test_a_port_that_is_none_is_said_as_everywhere_else() -> None:
    with pytest.raises(SettingError, match=r"PORT.*must be a port number"):
        stand_in.variables({"PORT": "abc"})


def test_everybody_is_told_the_same_about_the_stand_in(tmp_path: Path) -> None:
    told = stand_in.variables({"PORT": "9000"})
    assert told["EARNEST_STRIPE_URL"] == "http://127.0.0.1:9001"
    command = " ".join(stand_in.entry(told, tmp_path).command)
    assert "--port 9001" in command
    assert "--notify http://127.0.0.1:9000/providers/stripe" in command
