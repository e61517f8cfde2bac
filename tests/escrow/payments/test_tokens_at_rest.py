"""Payment tokens lie sealed in their order alone, open for the provider alone, and are gone once the order is final."""

from __future__ import annotations

import json

import pytest

from escrow import database, log, vault
from escrow.audit import audit
from escrow.audit.contracts import audit_contracts
from escrow.migrations import m0010_privilege
from escrow.payments import orders, tokens_at_rest
from escrow.payments.calls import ChargeRequest
from escrow.payments.results import Answer, Pending
from escrow.payments.sandbox import Sandbox
from escrow.payments.tokens_at_rest import Standing, seal, seal_what_is_open, survey, unseal
from escrow.vault import Undecipherable
from tests.escrow.payments.stage import Deal, make_due, order, strike
from tests.factories import SECRET_KEY

TOKEN = "card_4242_of_the_client"
NEW = bytes(range(32, 64))

pytestmark = pytest.mark.usefixtures("database")


class Listening(Sandbox):
    """A provider that remembers with which tokens it was asked for money, and says nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[str | None] = []

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        self.tokens.append(request.token)
        return Pending(provider_id)


async def asked() -> list[str | None]:
    """With which tokens a worker asks the provider now."""
    provider = Listening()
    for claimed in await orders.claim(10):
        assert TOKEN not in repr(claimed)
        await orders.attend(claimed, provider)
    return provider.tokens


async def everything() -> str:
    """All that the database holds, as text; the sandbox provider's own books are somebody else's."""
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = [row["tablename"] for row in tables if row["tablename"] != "sandbox_charges"]
    return "\n".join([str([dict(row) for row in await database.fetch(f"SELECT * FROM {name}")]) for name in names])


async def differences() -> list[str]:
    return [str(one) async for one in audit()]


async def waiting() -> tuple[Deal, str]:
    """A contract whose client has just paid with the token, and the order."""
    deal = await strike("10.00")
    return deal, await deal.fund(TOKEN)


async def test_the_provider_gets_the_token_and_the_database_never_has_it_open() -> None:
    _, order_id = await waiting()
    assert TOKEN not in await everything()
    assert (await order(order_id))["payment_token"].startswith("sealed:")
    assert await asked() == [TOKEN]
    assert TOKEN not in await everything()
    assert await differences() == []


async def test_no_statement_carries_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logs statements with their parameters logs no token."""
    said: list[object] = []
    fetch_row = database.fetch_row

    async def heard(sql: str, *arguments: object) -> database.Record | None:
        said.append(arguments)
        return await fetch_row(sql, *arguments)

    deal = await strike("10.00")
    monkeypatch.setattr(database, "fetch_row", heard)
    await deal.fund(TOKEN)
    assert any("sealed:" in str(one) for one in said)
    assert TOKEN not in str(said)


async def test_the_log_has_a_hash_that_nothing_can_be_tried_against() -> None:
    deal, _ = await waiting()
    event = await database.fetch_row("SELECT * FROM events WHERE stream_id = $1 AND type = 'deposit.started'", deal.id)
    assert event is not None
    text = await database.fetch_row("SELECT * FROM texts WHERE event_id = $1 AND field = 'paymentToken'", event["id"])
    assert text is not None
    assert (text["body"], text["salt"], text["erased_at"] is not None) == (None, None, True)
    assert log.event_hash(event["body"]) == event["hash"]
    assert len(json.loads(event["body"])["data"]["texts"]["paymentToken"]) == 64


@pytest.mark.parametrize("end", ["cancelled", "PAID", "FAILED", "ABANDONED"])
async def test_it_is_gone_as_soon_as_its_order_is_final_whoever_ends_it(end: str) -> None:
    deal, order_id = await waiting()
    if end == "cancelled":
        await deal.cancel()
    else:
        await database.execute("UPDATE payment_orders SET state = $2 WHERE id = $1", order_id, end)
    assert (await order(order_id))["payment_token"] is None
    with pytest.raises(Exception, match="payment_orders_token"):
        await database.execute(
            "UPDATE payment_orders SET state = 'STARTED', payment_token = $2 WHERE id = $1", order_id, TOKEN
        )


async def test_it_opens_for_its_own_order_alone() -> None:
    sealed = seal(TOKEN, order_id="pay_one")
    assert unseal(sealed, order_id="pay_one") == TOKEN
    assert seal(TOKEN, order_id="pay_one") != sealed
    for stored, order_id in (
        (sealed, "pay_two"),
        (sealed[:-8], "pay_one"),
        ("sealed:!!", "pay_one"),
        (TOKEN, "pay_one"),
    ):
        with pytest.raises(Undecipherable):
            unseal(stored, order_id=order_id)


async def test_a_token_that_is_spelt_like_a_sealed_one_is_sealed_like_any_other() -> None:
    deal = await strike("10.00")
    forged = "sealed:AAAA"
    await deal.fund(forged)
    assert await asked() == [forged]


async def test_whoever_copies_a_sealed_token_to_an_order_of_theirs_pays_with_nothing() -> None:
    deal, theirs = await waiting()
    mine = await (await deal.another("10.00")).fund("card_of_the_thief")
    stolen = (await order(theirs))["payment_token"]
    await database.execute("UPDATE payment_orders SET payment_token = $2 WHERE id = $1", mine, stolen)
    assert await asked() == [TOKEN]
    assert (await order(mine))["last_error"] == "Undecipherable"
    assert (await order(mine))["state"] == "STARTED"


async def test_without_the_key_nothing_is_asked_and_with_it_again_the_order_goes_on() -> None:
    _, order_id = await waiting()
    vault.use([NEW])
    assert await asked() == []
    assert await survey() == Standing(unreadable=(order_id,))
    vault.use([NEW, SECRET_KEY])
    await make_due(order_id)
    assert await asked() == [TOKEN]


async def test_a_key_is_taken_out_of_use_after_its_tokens_were_encrypted_anew() -> None:
    await waiting()
    vault.use([NEW, SECRET_KEY])
    assert await survey() == Standing(older=1)
    assert await survey(renew=True) == Standing(older=1)
    vault.use([NEW])
    assert await survey() == Standing(current=1)
    assert await asked() == [TOKEN]
    assert await differences() == []


async def test_a_process_that_was_given_no_keys_takes_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = await strike("10.00")
    monkeypatch.setattr(vault, "_vault", None)
    with pytest.raises(RuntimeError, match=r"vault\.use"):
        await deal.fund(TOKEN)
    assert await deal.milestone_state() == "PLANNED"
    assert await database.fetch_value("SELECT count(*) FROM payment_orders") == 0


class Undo(Exception):
    """Ends a transaction that was only to look."""


AS_BEFORE = """
DROP TRIGGER texts_withheld_are_never_kept ON texts; DROP FUNCTION keep_nothing_withheld;
DROP TRIGGER payment_orders_forget_their_token ON payment_orders; DROP FUNCTION forget_the_token;
ALTER TABLE payment_orders DROP CONSTRAINT payment_orders_token; DROP INDEX payment_orders_with_token;
ALTER TABLE texts DISABLE TRIGGER texts_can_only_be_erased;
UPDATE texts SET body = '"card_4242_of_the_client"', salt = sha256('x')::bytea, erased_at = NULL WHERE field = 'paymentToken';
"""


async def migrated_again(contract_id: str, open_id: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(AS_BEFORE.replace("sha256('x')::bytea", "substr(sha256('x'), 1, 16)"))
        await connection.execute("ALTER TABLE texts ENABLE TRIGGER texts_can_only_be_erased")
        await connection.execute(f"UPDATE payment_orders SET payment_token = '{TOKEN}' WHERE kind = 'DEPOSIT'")
        assert TOKEN in await everything()
        await connection.execute(m0010_privilege.TOKENS)
        marked = await database.fetch("SELECT id, payment_token FROM payment_orders WHERE payment_token IS NOT NULL")
        assert [tuple(row) for row in marked] == [(open_id, f"plain:{TOKEN}")]
        assert await survey() == Standing(older=1)
        await seal_what_is_open()
        assert TOKEN not in await everything()
        assert await survey() == Standing(current=1)
        raise Undo(*await audit_contracts([contract_id]))


async def test_tokens_of_an_earlier_release_go_or_are_sealed_and_the_log_stays_whole() -> None:
    deal, _ = await waiting()
    await deal.cancel()
    order_id = await deal.fund(TOKEN)
    with pytest.raises(Undo) as undone:
        await migrated_again(deal.id, order_id)
    assert undone.value.args == ()


async def test_a_token_that_no_worker_has_sealed_yet_is_good_all_the_same() -> None:
    _, order_id = await waiting()
    await database.execute("UPDATE payment_orders SET payment_token = $2 WHERE id = $1", order_id, f"plain:{TOKEN}")
    assert await asked() == [TOKEN]


def test_the_marks_are_those_that_the_migration_lets_through() -> None:
    assert (tokens_at_rest.PLAIN, tokens_at_rest.SEALED) == (m0010_privilege.PLAIN, m0010_privilege.SEALED)
