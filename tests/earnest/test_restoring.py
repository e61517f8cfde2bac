"""A deployment is brought back to a moment in the middle of a load, step by step as docs/operating/restoring.md says.

The provider and everybody who listened remember what came after that moment; the books don't.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from escrow import database, log, vault
from escrow.payments import lost, reconciliation
from escrow.payments.book_differences import BookDifference, DifferenceKind
from escrow.payments.stripe.adapter import Stripe
from tests.api.client import Caller, with_key
from tests.earnest import restored
from tests.earnest.restored import Machine, Mirror, documented, is_paid, moved, until
from tests.earnest.running import free_port
from tests.factories import SECRET_KEY, Deployment, make_endpoint
from tests.stand_ins.stripe import payments
from tests.stand_ins.stripe.books import Clock
from tests.stand_ins.stripe.serving import Playing, playing

CARD: Final = "pm_card_bypassPending"
"""Its money can go on at once."""


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[str, list[str]]]:
    """A receiver of webhooks, and the identifiers of what came."""
    came: list[str] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
            came.append(head.partition("webhook-id: ")[2].partition("\r\n")[0])
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", came


@asynccontextmanager
async def connected(machine: Machine) -> AsyncIterator[None]:
    """Tortoise on the deployment's database, as the operator's command line has it."""
    async with restored.connected_to(machine.database_url()):
        yield


async def caught_up(caller: Caller, mirror: Mirror) -> None:
    async def all_is_read() -> bool:
        await mirror.catch_up()
        return await log.waiting() == 0

    await until(all_is_read, f"{caller.account_id} has read everything")


async def charges(stand_in: Playing, contract_id: str) -> int:
    return sum(one["status"] == "succeeded" for one in moved(stand_in, "payment_intent", contract_id))


async def test_a_moment_comes_back_and_nothing_is_lost_or_doubled_that_the_provider_did_after_it(
    tmp_path: Path,
) -> None:
    port = free_port()
    notices = f"http://127.0.0.1:{port}/providers/stripe"
    async with playing(clock=Clock(offset=0, real=time.time), notify=notices) as stand_in, receiving() as (hook, came):
        machine = Machine(tmp_path, restored.environment(stand_in.url, port, tmp_path / "backups"))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
                await _play(machine, stand_in, http, hook, came)
        finally:
            if machine.up is not None:
                await machine.stop()


async def _play(machine: Machine, stand_in: Playing, http: httpx.AsyncClient, hook: str, came: list[str]) -> None:
    await machine.start()
    async with connected(machine):
        vault.use([SECRET_KEY])
        deployment = await Deployment._made(0, 0)
        client = await with_key(http, deployment.client, deployment.operator)
        mirror, straggler = Mirror(client), Mirror(client)
        await make_endpoint(deployment.operator, hook, account_id=deployment.client.account_id)
        await restored.onboard(deployment, stand_in)
        await caught_up(client, mirror)
        told_from = str(mirror.cursor)
        assert "whole, and checked" in await machine.command(*documented("earnest backup"))

        # Until the moment: one to be paid out, one to be funded, one to be given back, one whose payout is kept.
        payable, planned, returned, kept = [await deployment.activate("100.00") for _ in range(4)]
        deposits = [await restored.order_of(await deal.fund(token=CARD)) for deal in (payable, returned, kept)]
        for order_id in deposits:
            await until(partial(is_paid, order_id), "what is kept was charged")
        for deal in (payable, kept):
            await deal.approve()
        kept_payout = await kept.pay_out()
        stop = asyncio.Event()
        load = asyncio.create_task(restored.write_contracts(deployment, stop))
        await until(lambda: restored.is_sent(kept_payout), "what is kept was paid out")
        await caught_up(client, straggler)
        moment = await database.fetch_value("SELECT clock_timestamp()")

        # After it, while the load goes on: all that the books are going to forget.
        lost_payout = await payable.pay_out()
        lost_deposit = await restored.order_of(await planned.fund(token=CARD))
        await restored.give_refund(returned)
        unheard = await deployment.activate("50.00")
        lost_contract = await restored.order_of(await unheard.fund(token=CARD))
        lost_refund = str(await restored.refund_order(returned))
        for order_id in (lost_deposit, lost_refund, lost_contract):
            await until(partial(is_paid, order_id), "what is lost was done")
        await until(lambda: restored.is_sent(lost_payout), "what is lost was paid out")
        stop.set()
        assert await load > 0
        await caught_up(client, mirror)
        before, last_cursor = dict(mirror.seen), str(mirror.cursor)
        await until(lambda: _contains(came, before, told_from), "webhooks told all of it")
    await machine.stop()

    told = await machine.command(*documented("earnest restore --to", moment=moment))
    assert "refused (LOG_CUT)" in told
    await machine.start()
    async with connected(machine):
        # Cursors of before hold; whoever has seen more is told, by every door, and how much of it still is so.
        await _readers_learn_it(client, mirror, straggler, before, last_cursor)
        assert await database.fetch_value("SELECT count(*) FROM contracts WHERE id = $1", unheard.id) == 0

        await until(_is_told, "webhooks tell of the cut")

        # The same is done once more; the provider does none of it twice.
        again = [
            await payable.pay_out(),
            await restored.order_of(await planned.fund(token="pm_card_mastercard")),
        ]
        await restored.give_refund(returned)
        again.append(str(await restored.refund_order(returned)))
        assert await database.fetch(_PAID_TOO_EARLY, again) == [], "nothing is called before its books are read"
        await database.execute("UPDATE log_cuts SET books_due_at = now() WHERE books_read_at IS NULL")
        await until(lambda: restored.is_sent(again[0]), "what was paid out before is found again")
        for order_id in again[1:]:
            await until(partial(is_paid, order_id), "what was done before is found again")
        rows = await database.fetch("SELECT id, known_as FROM payment_orders WHERE known_as IS NOT NULL")
        assert {row["id"]: row["known_as"] for row in rows} == dict(
            zip(again, (lost_payout, lost_deposit, lost_refund), strict=True)
        )
        assert [len(moved(stand_in, "transfer", deal.id)) for deal in (payable, kept)] == [1, 1]
        assert [await charges(stand_in, deal.id) for deal in (payable, planned, returned, kept)] == [1, 1, 1, 1]
        assert len(moved(stand_in, "refund", returned.id)) == 1
        assert len(stand_in.books.of("payout", _payee(stand_in))) == 2
        assert stand_in.violations == []

        stand_in.pass_time(timedelta(days=4).total_seconds())
        for order_id in (kept_payout, again[0]):
            await until(partial(is_paid, order_id), "what was paid out arrives")

        # What comes now has cursors that nobody ever had, and is told to everybody.
        fresh = await deployment.activate("20.00")
        fresh_order = await restored.order_of(await fresh.fund(token=CARD))
        await until(lambda: is_paid(fresh_order), "what is new is charged")
        await caught_up(client, mirror)
        assert set(mirror.seen) & set(before) == {one for one in before if one <= mirror.cuts[0]}
        await until(lambda: _contains(came, mirror.seen, told_from), "webhooks go on")

        # The books agree but for the contract that is no more; its money goes back by hand.
        assert "No differences" in await machine.command(*documented("earnest audit"))
        found = await _differences(stand_in)
        assert [one.subject for one in found if one.kind is DifferenceKind.CONTRACT] == [unheard.id]
        assert [one.order_id for one in await lost.everything()] == [lost_contract]
        (charge,) = moved(stand_in, "payment_intent", unheard.id)
        payments.refund(stand_in.books, {"payment_intent": charge["id"], "amount": 50_00})
        await _differences(stand_in)
        words = documented("earnest restore --settle")
        assert "holds nothing up" in await machine.command(*words[:-1], lost_contract)
        assert await _differences(stand_in) == []


async def _readers_learn_it(
    client: Caller, mirror: Mirror, straggler: Mirror, before: restored.Seen, last_cursor: str
) -> None:
    until_then = dict(straggler.seen)
    await straggler.catch_up()
    assert straggler.cuts == [], "what it had seen is still so"
    assert until_then.items() <= straggler.seen.items()
    refusal = await restored.refusal_of_stream(client, last_cursor)
    assert refusal["code"] == "LOG_CUT", refusal
    await mirror.catch_up()
    assert mirror.cuts == [refusal["keptCursor"]]
    assert max(until_then) <= mirror.cuts[0] < last_cursor
    for reader in (mirror, straggler):
        now = {cursor: event for cursor, event in reader.seen.items() if cursor <= last_cursor}
        then = {cursor: event for cursor, event in before.items() if cursor <= mirror.cuts[0]}
        assert now == then, "nothing else stands under a cursor that was given before"


async def _contains(came: list[str], seen: restored.Seen, after: str) -> bool:
    return {event for cursor, event in seen.items() if cursor > after} <= set(came)


# The books are due some seconds after the cut, which the start after it may take: then they are read already.
_PAID_TOO_EARLY: Final = """
SELECT id FROM payment_orders
WHERE id = ANY ($1) AND state = 'PAID' AND EXISTS (SELECT FROM log_cuts WHERE books_read_at IS NULL)
"""


async def _is_told() -> object:
    return await database.fetch_value("SELECT state = 'DELIVERED' FROM deliveries WHERE kind = 'LOG_CUT'")


def _payee(stand_in: Playing) -> str:
    (name,) = stand_in.books.of("account")
    return name


async def _differences(stand_in: Playing) -> list[BookDifference]:
    provider = Stripe(stand_in.access())
    try:
        outcome = await reconciliation.reconcile(provider, settling=timedelta(seconds=-5))
    finally:
        await provider.close()
    return list(outcome.found)
