"""The stand-in is worth its name: it judges by Stripe's description, keeps books that add up, and does wrong by its seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stand_ins.stripe import description, keeping, payees, payments, payouts
from tests.stand_ins.stripe.books import Books, Clock, Refusal, listed
from tests.stand_ins.stripe.description import NoDescription, Violation, stripe_description
from tests.stand_ins.stripe.forms import parsed
from tests.stand_ins.stripe.hostility import WORST, Fault, Hostility
from tests.stand_ins.stripe.serving import Playing, playing


def paid(books: Books, amount: int = 5_000, method: str = "pm_card_visa") -> dict[str, object]:
    made = payments.create_intent(books, {"amount": amount, "currency": "usd", "metadata": {}})
    return payments.confirm_intent(books, made["id"], {"payment_method": method})


def test_each_attempt_at_a_refund_has_its_own_luck_so_no_order_fails_for_ever() -> None:
    books = Books(hostility=Hostility(refunds_fail=0.5))
    attempts = []
    for number in range(100):
        charged = paid(books)
        asked = {"payment_intent": charged["id"], "metadata": {"order": f"pay_{number}"}}
        for attempt in range(1, 30):
            made = payments.refund(books, asked)
            books.clock.advance(payments.SETTLE_SECONDS)
            books.happen()
            if made["status"] == "succeeded":
                attempts.append(attempt)
                break
    assert len(attempts) == 100
    assert max(attempts) > 1


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/payment_intents", "amount=100&currency=usd&transfergroup=a"),
        ("/v1/payment_intents", "amount=ten&currency=usd"),
        ("/v1/payment_intents", "currency=usd"),
        ("/v1/transfers", "amount=1&currency=usd"),
        ("/v1/refunds", "amount=1&reason=because"),
        ("/v1/accounts", "controller[fees][payer]=nobody"),
        ("/v1/accounts", "controller[fee][payer]=application"),
        ("/v1/nothing", ""),
    ],
)
def test_a_request_that_the_description_does_not_know_is_a_violation(path: str, form: str) -> None:
    with pytest.raises(Violation):
        stripe_description().request("post", path, {}, parsed(form))


def test_lists_may_be_behind_for_a_while_of_what_moves_money_and_know_all_of_it_then() -> None:
    books = Books(hostility=Hostility(lists_behind=1.0, behind_seconds=3_600))
    charged = paid(books)
    made = payments.refund(books, {"payment_intent": charged["id"]})
    query = {"payment_intent": charged["id"]}
    assert listed(books, "refund", query, "/v1/refunds", by=("payment_intent",))["data"] == []
    assert books.get("refund", made["id"]) is made
    books.clock.advance(3_600)
    (found,) = listed(books, "refund", query, "/v1/refunds", by=("payment_intent",))["data"]
    assert found["id"] == made["id"]


def test_forms_get_the_types_of_the_description() -> None:
    form = "amount=100&currency=usd&automatic_payment_methods[enabled]=true&metadata[n]=1&expand[0]=latest_charge"
    _, body = stripe_description().request("post", "/v1/payment_intents", {}, parsed(form))
    assert body["amount"] == 100
    assert body["automatic_payment_methods"] == {"enabled": True}
    assert body["metadata"] == {"n": "1"}
    assert body["expand"] == ["latest_charge"]


@pytest.mark.parametrize("change", [{"urll": "x"}, {"url": 5}, {"object": "link"}, {"created": None}])
def test_an_answer_that_the_description_does_not_know_is_a_violation(change: dict[str, object]) -> None:
    good = {"object": "account_link", "created": 1, "expires_at": 2, "url": "https://x"}
    stripe_description().answer("post", "/v1/account_links", 200, good)
    with pytest.raises(Violation):
        stripe_description().answer("post", "/v1/account_links", 200, good | change)


def test_who_cannot_fetch_the_description_is_told_what_pip_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(description, "WHEEL", "earnest-has-no-such-wheel==0.0.1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NoDescription, match="pip download earnest-has-no-such-wheel"):
        description._file()
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


def test_what_is_drawn_hangs_on_the_seed_and_the_name_alone() -> None:
    faults = [WORST.fault(f"key/{n}", 1, writes=True) for n in range(2_000)]
    assert faults == [WORST.fault(f"key/{n}", 1, writes=True) for n in range(2_000)]
    assert faults != [replace(WORST, seed=2).fault(f"key/{n}", 1, writes=True) for n in range(2_000)]
    assert set(faults) == {None, *Fault}
    assert {Hostility().fault(f"key/{n}", 1, writes=True) for n in range(100)} == {None}


def test_reading_is_never_answered_by_what_only_writing_can_meet() -> None:
    found = {replace(WORST, lost_answers=0.5).fault(f"{n}", 1, writes=False) for n in range(2_000)}
    assert Fault.LOST_ANSWER not in found
    assert Fault.LATE_WORK not in found
    assert Fault.LOST_REQUEST in found


def test_every_cent_is_in_exactly_one_balance() -> None:
    books = Books()
    account = payees.create_account(books, {"capabilities": {"transfers": {"requested": True}}})["id"]
    payees.told(books, account)
    charge = paid(books)["latest_charge"]
    payouts.transfer(books, {"amount": 3_000, "currency": "usd", "destination": account, "source_transaction": charge})
    payments.refund(books, {"charge": charge, "amount": 1_000})
    assert books.balance("", "usd") == (-1_000, 2_000 - payments.fee_of(5_000))
    assert books.balance(account, "usd") == (0, 3_000)
    books.clock.advance(books.hostility.pending_seconds)
    assert books.balance("", "usd") == (1_000 - payments.fee_of(5_000), 0)
    assert books.balance(account, "usd") == (3_000, 0)


def test_more_than_there_is_is_refused_and_moves_nothing() -> None:
    books = Books()
    account = payees.create_account(books, {"capabilities": {"transfers": {"requested": True}}})["id"]
    payees.told(books, account)
    charge = paid(books)["latest_charge"]
    asked = {"amount": 5_001, "currency": "usd", "destination": account}
    had = books.balance("", "usd")
    for more in (asked, asked | {"source_transaction": charge}):
        with pytest.raises(Refusal):
            payouts.transfer(books, more)
    with pytest.raises(Refusal, match="insufficient"):
        payouts.pay_out(books, account, {"amount": 1, "currency": "usd"})
    assert books.balance("", "usd") == had


def test_notices_come_twice_late_in_another_order_or_never() -> None:
    books = Books(hostility=Hostility(notices_never=0.2, notices_twice=0.3, notices_late=0.5))
    for _ in range(50):
        paid(books)
    told: list[str] = []
    for _ in range(20):
        told += [event["id"] for event in books.due_notices()]
        books.clock.advance(60)
    said = list(books.of("event"))
    assert set(told) < set(said)
    assert len(told) > len(set(told))
    places = [said.index(one) for one in told]
    assert places != sorted(places)


def test_books_are_taken_up_where_they_were_left(tmp_path: Path) -> None:
    books = Books(clock=Clock(offset=1_000))
    paid(books)
    paid(books, method="pm_usBankAccount_success")
    keeping.save(books, tmp_path / "books.json")
    again = Books(clock=Clock(offset=0))
    keeping.load(again, tmp_path / "books.json")
    assert again.balance("", "usd") == books.balance("", "usd")
    for one in (books, again):
        one.clock.advance(payments.SETTLE_SECONDS)
        one.happen()
    assert json.dumps(again.of("payment_intent")) == json.dumps(books.of("payment_intent"))
    assert again.new_id("pi") == books.new_id("pi")


async def test_a_key_is_remembered_for_a_day_and_then_forgotten() -> None:
    import aiohttp

    async with playing() as stand_in, aiohttp.ClientSession() as session:

        async def ask(amount: int = 100) -> tuple[int, str, bool]:
            headers = {
                "authorization": "Bearer rk_test_stand_in",
                "stripe-version": stripe_description().version,
                "idempotency-key": "one",
            }
            form = {"amount": str(amount), "currency": "usd"}
            async with session.post(f"{stand_in.url}/v1/payment_intents", data=form, headers=headers) as answer:
                body = await answer.json()
                return answer.status, body.get("id", ""), "idempotent-replayed" in answer.headers

        first, again = await ask(), await ask()
        assert again == (200, first[1], True)
        assert (await ask(amount=200))[0] == 400
        stand_in.pass_time(86_400)
        assert (await ask())[1] != first[1]
        assert stand_in.violations == []


async def test_who_shows_another_key_or_asks_for_another_version_is_noticed() -> None:
    import aiohttp

    async with playing() as stand_in, aiohttp.ClientSession() as session:
        async with session.get(f"{stand_in.url}/v1/balance", headers={"authorization": "Bearer other"}) as answer:
            assert answer.status == 401
        headers = {"authorization": "Bearer rk_test_stand_in", "stripe-version": "2020-01-01"}
        async with session.get(f"{stand_in.url}/v1/balance", headers=headers) as answer:
            assert answer.status == 200
        assert _noticed(stand_in, "2020-01-01")


def _noticed(stand_in: Playing, what: str) -> bool:
    return any(what in one for one in stand_in.violations)
