"""Couplings over the real API and in the real tables: what goes to a tool, what comes from it, and what never does."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from connectors import couplings, footer, home, sealed_secrets, tending
from connectors.couplings import Leased, LeaseLost, Pairs
from connectors.home import NEWS, EarnestContract
from connectors.port import Moved, ToolError
from connectors.sides import Card, DoneLeave, Field, Pair, PlanLeave, Theirs, TheirSide, Treaty, Values
from escrow.agreement.decisions.change_requests import OPEN_REQUESTS_MAX
from escrow.database import execute, fetch_value
from tests.connectors.coupled import Couple, title
from tests.patience import PATIENCE_SECONDS

EDITS = Treaty(plan=PlanLeave.EDIT, new_amount="50.00", removes=True)
ASKS = Treaty(plan=PlanLeave.ASK, new_amount="50.00", done=DoneLeave.SUBMIT)


async def test_a_plan_is_shown_in_a_tool_once_and_found_again_by_the_tools_names(couple: Couple) -> None:
    one = await couple()
    await one.visit()
    await one.visit()
    plan = await couple.plan()
    items = [one.board.of(milestone["id"]) for milestone in plan]
    assert [item.values[Field.TITLE] for item in items] == ["Milestone 1", "Milestone 2", "Milestone 3"]
    assert items[0].facts == "100.00 USD, PLANNED"
    assert [milestone["externalReferences"] for milestone in plan] == [
        [{"system": "board", "externalId": item.id, "url": None}] for item in items
    ]
    assert one.board.writes == 3
    assert (await one.row())["writes"] == 3
    assert (await one.row())["problem"] is None


async def test_what_a_client_changes_in_a_tool_is_changed_in_the_plan_and_not_written_back(couple: Couple) -> None:
    one = await couple(treaty=EDITS)
    await one.visit()
    first, second, third = await couple.plan()
    one.board.change(one.board.of(first["id"]).id, title("Drafts"), facts="9.00 USD, RELEASED")
    one.board.delete(one.board.of(second["id"]).id)
    made = one.board.put({Field.TITLE: "Extra", Field.PURPOSE: "More", Field.DUE_ON: "2031-05-01"})
    written = one.board.writes
    await one.ring()
    await one.ring()
    plan = {milestone["title"]: milestone for milestone in await couple.plan()}
    assert plan["Drafts"]["id"] == first["id"]
    assert plan["Milestone 2"]["state"] == "CANCELLED"
    assert plan["Extra"]["amount"] == {"amount": "50.00"}
    assert plan["Extra"]["externalReferences"][0]["externalId"] == made
    assert one.board.of(first["id"]).facts == "100.00 USD, PLANNED", "an amount isn't the tool's to say"
    assert one.board.writes == written + 2, "our footer under both, and nothing else"
    assert (await one.row())["problem"] is None
    assert third == (await couple.plan())[2]


async def test_what_a_freelancer_changes_in_a_tool_is_asked_for_and_stays_there_until_it_is_decided(
    couple: Couple,
) -> None:
    one = await couple(by=couple.freelancer, treaty=ASKS)
    await one.visit()
    first = (await couple.plan())[0]
    item = one.board.of(first["id"])
    one.board.change(item.id, title("Drafts"))
    one.board.put({Field.TITLE: "Extra", Field.PURPOSE: "More", Field.DUE_ON: "2031-05-01"})
    await one.ring()
    await one.ring()
    assert await fetch_value("SELECT count(*) FROM change_requests WHERE state = 'OPEN'") == 2
    assert (await couple.plan())[0]["title"] == "Milestone 1"
    assert one.board.items[item.id].values[Field.TITLE] == "Drafts"
    query = "query ($id: ID!) { contract(id: $id) { changeRequests { nodes { id changes { kind } } } } }"
    asked = (await couple.client.ask(query, {"id": couple.deal.id}))["contract"]["changeRequests"]["nodes"]
    for request in asked:
        mutation = "acceptChangeRequest" if request["changes"][0]["kind"] == "ADD" else "declineChangeRequest"
        await couple.client.done(mutation, {"changeRequestId": request["id"], **_words(mutation)}, "contract { id }")
    await one.visit()
    assert one.board.items[item.id].values[Field.TITLE] == "Milestone 1", "it was declined"
    plan = await couple.plan()
    assert plan[-1]["title"] == "Extra"
    assert len(one.board.items) == len(plan) == 4, "what was accepted has its item already"
    assert one.board.of(plan[-1]["id"]).facts == "50.00 USD, PLANNED"


async def test_what_was_asked_for_and_not_answered_is_asked_for_once(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple(by=couple.freelancer, treaty=ASKS)
    await one.visit()
    extra = {Field.TITLE: "Extra", Field.PURPOSE: "More", Field.DUE_ON: "2031-05-01"}
    made = one.board.put(extra, amount="50.00")
    ask_to_add = EarnestContract.ask_to_add

    async def unheard(self: EarnestContract, values: Values, amount: str, *, once: str) -> tuple[str, str]:
        await ask_to_add(self, values, amount, once=once)
        raise ToolError("Earnest gave no answer")

    with monkeypatch.context() as patch:
        patch.setattr(EarnestContract, "ask_to_add", unheard)
        await one.ring()
    assert (await one.row())["problem"] == "Earnest gave no answer"
    one.board.change(made, {}, price=footer.price("60.00"))
    await one.visit()
    assert (await one.row())["problem"] is None
    assert await fetch_value("SELECT count(*) FROM change_requests WHERE state = 'OPEN'") == 1
    (request_id,) = await fetch_value("SELECT array_agg(id) FROM change_requests")
    await couple.client.done(
        "declineChangeRequest", {"changeRequestId": request_id, "message": "No."}, "contract { id }"
    )
    await one.visit()
    assert await fetch_value("SELECT count(*) FROM coupled_pairs WHERE agreed ? 'amount'") == 0


def _words(mutation: str) -> dict[str, str]:
    return {"message": "No."} if mutation == "declineChangeRequest" else {}


async def test_done_is_a_hint_that_hands_in_work_at_most_and_moves_no_money(couple: Couple) -> None:
    deal = couple.deal
    await deal.confirm(await deal.fund())
    freelancers = await couple("theirs", by=couple.freelancer, treaty=ASKS)
    clients = await couple("ours", treaty=EDITS)
    await freelancers.visit()
    await clients.visit()
    moved = await couple.transfers()
    for one in (freelancers, clients):
        for item in list(one.board.items.values()):
            one.board.change(item.id, {}, is_done=True)
    await clients.ring()
    assert [milestone["state"] for milestone in await couple.plan()] == ["ACTIVE", "PLANNED", "PLANNED"]
    assert await fetch_value("SELECT count(*) FROM updates") == 3
    await freelancers.ring()
    await freelancers.ring()
    await clients.ring()
    assert [milestone["state"] for milestone in await couple.plan()] == ["SUBMITTED", "PLANNED", "PLANNED"]
    assert await fetch_value("SELECT count(*) FROM updates") == 3 + 2
    assert await fetch_value("SELECT count(*) FROM submissions") == 1
    assert await couple.transfers() == moved


async def test_what_is_released_is_closed_in_the_tool(couple: Couple) -> None:
    deal = couple.deal
    await deal.confirm(await deal.fund())
    one = await couple()
    await one.visit()
    await deal.submit()
    await deal.approve()
    await one.visit()
    first = (await couple.plan())[0]
    item = one.board.of(first["id"])
    assert (item.is_done, item.facts) == (True, "100.00 USD, RELEASED")
    one.board.change(item.id, {}, is_done=False)
    await one.ring()
    assert one.board.of(first["id"]).is_done


async def test_a_tool_is_read_only_if_something_is_new_in_earnest_or_it_rang(couple: Couple) -> None:
    one = await couple()
    for _ in range(3):
        await one.visit()
    reads = one.board.reads
    await one.visit()
    assert one.board.reads == reads
    await one.ring()
    assert one.board.reads == reads + 1
    milestone = (await couple.plan())[0]
    await couple.client.done("editMilestone", {"milestoneId": milestone["id"], "title": "New"}, "milestone { id }")
    await one.visit()
    assert one.board.of(milestone["id"]).values[Field.TITLE] == "New"


async def test_two_tools_of_one_contract_hear_of_each_other_by_earnest(couple: Couple) -> None:
    one, other = await couple("one", treaty=EDITS), await couple("other", treaty=EDITS, names=True)
    await one.visit()
    await other.visit()
    first = (await couple.plan())[0]
    other.board.change(other.board.of(first["id"]).id, title("Renamed there"))
    await other.ring()
    await one.visit()
    await other.visit()
    assert one.board.of(first["id"]).values[Field.TITLE] == "Renamed there"
    assert len(other.board.items) == len(one.board.items) == len(await couple.plan()) == 3


async def test_an_item_under_the_name_of_one_that_was_taken_out_becomes_another_milestone(couple: Couple) -> None:
    one = await couple(treaty=EDITS, names=True)
    await one.visit()
    one.board.delete("Milestone 2")
    await one.ring()
    one.board.put({Field.TITLE: "Milestone 2", Field.PURPOSE: "-", Field.DUE_ON: "2031-05-01"}, amount="75.00")
    await one.ring()
    _, former, _, new = await couple.plan()
    assert (former["state"], former["externalReferences"]) == ("CANCELLED", [])
    assert (new["title"], new["amount"]) == ("Milestone 2", {"amount": "75.00"})
    assert new["externalReferences"][0]["externalId"] == "Milestone 2"
    assert one.board.items["Milestone 2"].mark == new["id"]


async def test_a_price_in_another_currency_adds_nothing_and_is_said(couple: Couple) -> None:
    one = await couple(treaty=EDITS)
    one.board.put({Field.TITLE: "Elsewhere", Field.PURPOSE: "-", Field.DUE_ON: "2031-05-01"}, amount="500.00 EUR")
    for _ in range(2):
        await one.ring()
    assert len(await couple.plan()) == 3
    assert "'500.00 EUR', and the contract is in USD" in ((await couplings.everything())[0].problem or "")


async def test_what_earnest_refuses_stays_in_the_tool_and_is_said(couple: Couple) -> None:
    one = await couple(treaty=EDITS)
    await one.visit()
    first, second, _ = await couple.plan()
    too_long = "!" * 300
    one.board.change(one.board.of(first["id"]).id, title(too_long))
    one.board.change(one.board.of(second["id"]).id, title("Fine"))
    await one.ring()
    await one.ring()
    assert one.board.of(first["id"]).values[Field.TITLE] == too_long
    assert [milestone["title"] for milestone in await couple.plan()][:2] == ["Milestone 1", "Fine"]
    assert (await couplings.everything())[0].problem == "items that say what Earnest refuses: 1"
    assert await fetch_value(
        "SELECT agreed -> 'refused' ->> 'title' FROM coupled_pairs WHERE milestone_id = $1", first["id"]
    )


@pytest.mark.parametrize("treaty", [EDITS, ASKS], ids=["edits", "asks"])
async def test_of_what_is_said_at_once_only_what_earnest_refuses_stays_behind(couple: Couple, treaty: Treaty) -> None:
    one = await couple(by=couple.client if treaty is EDITS else couple.freelancer, treaty=treaty)
    await one.visit()
    item = one.board.of((await couple.plan())[0]["id"])
    too_long = {Field.PURPOSE: "!" * 3000, Field.DUE_ON: "1999-12-31"}
    one.board.change(item.id, title("Drafts") | too_long)
    for _ in range(2):
        await one.ring()
    if treaty is EDITS:
        assert (await couple.plan())[0]["title"] == "Drafts"
    assert await fetch_value("SELECT count(*) FROM change_requests WHERE state = 'OPEN'") == (treaty is ASKS)
    said = one.board.items[item.id].values
    assert said == title("Drafts") | too_long
    assert (await couplings.everything())[0].problem == "items that say what Earnest refuses: 1"
    one.board.change(item.id, {name: item.values[name] for name in too_long})
    await one.ring()
    assert (await couplings.everything())[0].problem is None, "it says nothing like that any more"


async def test_what_there_were_too_many_requests_for_is_asked_for_once_one_is_decided(couple: Couple) -> None:
    one = await couple(by=couple.freelancer, treaty=ASKS)
    await one.visit()
    first, second, third = await couple.plan()
    filed = []
    for number in range(OPEN_REQUESTS_MAX):
        change = {"edit": {"milestoneId": second["id"], "title": f"Title {number}"}}
        given = {"contractId": couple.deal.id, "changes": [change], "message": "Perhaps"}
        answer = await couple.freelancer.done("fileChangeRequest", given, "changeRequest { id }")
        filed.append(answer["changeRequest"]["id"])
    for milestone, said in ((first, "Drafts"), (third, "Sites")):
        one.board.change(one.board.of(milestone["id"]).id, title(said))
    for _ in range(2):
        await one.ring()
        assert "You have 20 open change requests" in (await one.row())["problem"]
    assert one.board.of(first["id"]).values[Field.TITLE] == "Drafts", "it waits there"
    for request_id in filed[:2]:
        given = {"changeRequestId": request_id, "message": "No."}
        await couple.client.done("declineChangeRequest", given, "contract { id }")
    await one.visit()
    assert (await one.row())["problem"] is None
    assert await fetch_value("SELECT count(*) FROM change_requests WHERE state = 'OPEN'") == OPEN_REQUESTS_MAX
    kinds = "SELECT count(DISTINCT changes::text) FROM change_requests WHERE state = 'OPEN' AND id <> ALL ($1)"
    assert await fetch_value(kinds, filed) == 2


async def test_a_name_that_stands_for_something_of_another_contract_is_said_and_not_asked_for_again_and_again(
    couple: Couple,
) -> None:
    one = await couple(treaty=EDITS)
    await one.visit()
    made = one.board.put({Field.TITLE: "Extra", Field.PURPOSE: "More", Field.DUE_ON: "2031-05-01"})
    named = {"subjectId": couple.deal.id, "system": "board", "externalId": made}
    await couple.client.done("setExternalReference", named, "externalReference { externalId }")
    await one.ring()
    row = await one.row()
    assert f"INVALID_STATE: This external id stands for {couple.deal.id}" in row["problem"]
    assert row["settled_at"] == row["read_at"], "there is nothing to do until somebody changes something"
    assert len(await couple.plan()) == 3


async def test_what_is_left_to_do_is_gone_on_with_though_nothing_else_tells_of_it(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple(treaty=EDITS)
    for _ in range(2):
        await one.visit()
    item = one.board.of((await couple.plan())[0]["id"])
    one.board.change(item.id, title("Drafts"))

    async def faster(self: EarnestContract, milestone_id: str, values: Values, *, version: int) -> int:
        raise Moved("VERSION_CONFLICT")

    with monkeypatch.context() as patch:
        patch.setattr(EarnestContract, "edit", faster)
        await one.ring()
    assert (await couple.plan())[0]["title"] == "Milestone 1"
    await one.visit()
    assert (await couple.plan())[0]["title"] == "Drafts"
    reads = one.board.reads
    for _ in range(2):
        await one.visit()
    assert one.board.reads == reads + 1, "the edit is heard of, and nothing after it"


async def test_what_no_text_can_hold_stops_neither_its_coupling_nor_the_others(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple(treaty=EDITS)
    await one.visit()
    first, second, _ = await couple.plan()

    async def garbled() -> TheirSide:
        raise ToolError("GitHub answered 502: \0\ud800")

    with monkeypatch.context() as patch:
        patch.setattr(one.board, "read", garbled)
        await one.ring()
    assert (await one.row())["problem"] == "GitHub answered 502: \ufffd\ufffd"
    one.board.change(one.board.of(first["id"]).id, title("A\0\udfff \U0001f600"))
    one.board.change(one.board.of(second["id"]).id, title("Fine"))
    await one.ring()
    assert [milestone["title"] for milestone in await couple.plan()][:2] == ["A\ufffd\ufffd \U0001f600", "Fine"]
    assert (await one.row())["problem"] is None


async def test_what_is_not_the_time_for_handing_in_is_told_as_an_update(couple: Couple) -> None:
    deal = couple.deal
    await deal.confirm(await deal.fund())
    one = await couple(by=couple.freelancer, treaty=ASKS)
    await one.visit()
    await deal.request_refund()
    first = (await couple.plan())[0]
    one.board.change(one.board.of(first["id"]).id, {}, is_done=True)
    await one.ring()
    await one.ring()
    assert await fetch_value("SELECT count(*) FROM submissions") == 0
    assert await fetch_value("SELECT count(*) FROM updates") == 1


async def test_a_tool_that_is_away_or_suddenly_empty_changes_nothing_and_is_asked_later(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        given = {
            "title": "One more",
            "purpose": "-",
            "amount": {"amount": "1.00", "currency": "USD"},
            "dueOn": "2031-01-01",
        }
        await couple.client.done(
            "addMilestone", {"contractId": couple.deal.id, "milestone": given | {"deliverables": []}}, "contract { id }"
        )
    one = await couple(treaty=EDITS)
    await one.visit()
    plan = await couple.plan()

    async def away() -> TheirSide:
        raise ToolError("GitHub answered 502")

    with monkeypatch.context() as patch:
        patch.setattr(one.board, "read", away)
        await one.ring()
    assert (await one.row())["problem"] == "GitHub answered 502"
    assert (await one.row())["failures"] == 1
    kept, one.board.items = one.board.items, {}
    await one.visit()
    assert "7 of 7 items are gone" in (await one.row())["problem"]
    assert await couple.plan() == plan
    one.board.items = kept
    await one.visit()
    assert (await one.row())["problem"] is None
    assert (await couplings.backlog()).failing == 0
    one.board.items = {}
    assert await couplings.resume("board", believes=True)
    await one.visit()
    assert {milestone["state"] for milestone in await couple.plan()} == {"CANCELLED"}


async def test_who_starts_visits_at_once_what_failed_by_a_fault_that_its_release_may_not_have(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple()

    async def unreadable(_: Pairs) -> list[Pair]:
        raise TypeError("Pair() got an unexpected keyword argument")

    with monkeypatch.context() as patch:
        patch.setattr(Pairs, "pairs", unreadable)
        await one.visit()
    assert "a fault of ours" in (await one.row())["problem"]
    assert await couplings.lease(9) == [], "others leave it alone, too"
    worker = asyncio.create_task(tending.pump(lambda _: one.board))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await one.row())["problem"] is not None or not one.board.items:
                assert not worker.done(), worker.exception()
                await asyncio.sleep(0.02)
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def stopped(pump: asyncio.Task[None], when: asyncio.Event) -> None:
    """A worker that is told to stop at that moment has stopped."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await when.wait()
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


async def test_who_is_stopped_in_a_visit_gives_its_coupling_back_at_once(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, reading = await couple(), asyncio.Event()

    async def endless() -> TheirSide:
        reading.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    with monkeypatch.context() as patch:
        patch.setattr(one.board, "read", endless)
        await stopped(asyncio.create_task(tending.pump(lambda _: one.board)), reading)
    (leased,) = await couplings.lease(9)
    assert leased.is_asked, "it is read by whoever has it next"
    assert ((await one.row())["problem"], leased.failures) == (None, 0)


async def test_who_is_stopped_while_a_tool_is_told_something_lets_the_lease_end_by_itself(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, telling = await couple(), asyncio.Event()

    async def endless(_: Card) -> Theirs:
        telling.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    with monkeypatch.context() as patch:
        patch.setattr(one.board, "create", endless)
        await stopped(asyncio.create_task(tending.pump(lambda _: one.board)), telling)
    assert await couplings.lease(9) == [], "the tool may make it yet"


async def test_what_a_claim_took_that_was_cut_off_is_given_back(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, has_claimed, may_answer = await couple(), asyncio.Event(), asyncio.Event()
    lease = couplings.lease

    async def slow(count: int) -> list[Leased]:
        found = await lease(count)
        has_claimed.set()
        await may_answer.wait()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(couplings, "lease", slow)
        pump = asyncio.create_task(tending.pump(lambda _: one.board))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await has_claimed.wait()
            pump.cancel()
            may_answer.set()
            await asyncio.gather(pump, return_exceptions=True)
    assert len(await couplings.lease(9)) == 1
    assert one.board.reads == 0


async def test_a_database_that_hung_up_in_a_visit_is_no_fault_of_ours_and_soon_asked_again(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple()

    async def hung_up(_: Pairs) -> list[Pair]:
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    with monkeypatch.context() as patch:
        patch.setattr(Pairs, "pairs", hung_up)
        await one.visit()
    row = await one.row()
    assert row["problem"] == "connection was closed in the middle of operation"
    assert await fetch_value("SELECT due_at < clock_timestamp() + interval '1 minute' FROM couplings")


async def test_who_lost_the_lease_notes_nothing_more(couple: Couple) -> None:
    await couple()
    (leased,) = await couplings.lease(9)
    assert await couplings.lease(9) == [], "nobody else gets it"
    await execute("UPDATE couplings SET leased_until = clock_timestamp() - interval '1 second'")
    (again,) = await couplings.lease(9)
    assert again.is_asked, "what the first one was to do is done by the second"
    for work in (Pairs(leased).hold(), Pairs(leased).keep(Pair(milestone_id="mil_1", external_id="1"))):
        with pytest.raises(LeaseLost):
            await work
    await Pairs(again).keep(Pair(milestone_id="mil_1", external_id="1", agreed={Field.TITLE: "A"}))
    await couplings.fail(leased, problem="late", pause_seconds=1)
    (pair,) = await Pairs(again).pairs()
    assert pair.agreed == {Field.TITLE: "A"}
    assert await fetch_value("SELECT problem FROM couplings") is None


async def test_a_lease_is_renewed_however_long_a_side_takes_to_answer(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple()
    read = one.board.read

    async def slow() -> TheirSide:
        await execute("UPDATE couplings SET leased_until = clock_timestamp() - interval '1 second'")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await fetch_value("SELECT leased_until > clock_timestamp() FROM couplings"):  # noqa: ASYNC110 - a row rings nobody
                await asyncio.sleep(0.01)
        return await read()

    monkeypatch.setattr(tending, "HOLD_SECONDS", 0.01)
    monkeypatch.setattr(one.board, "read", slow)
    await one.visit()
    assert len(one.board.items) == 3
    assert (await one.row())["problem"] is None


async def test_a_visit_ends_when_another_has_its_lease(couple: Couple, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await couple()
    has_ended = asyncio.Event()

    async def endless() -> TheirSide:
        await execute("UPDATE couplings SET lease_token = 'another'")
        try:
            await asyncio.Event().wait()
        finally:
            has_ended.set()
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(tending, "HOLD_SECONDS", 0.01)
    monkeypatch.setattr(one.board, "read", endless)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await one.visit()
    assert has_ended.is_set()
    row = await one.row()
    assert (row["lease_token"], row["problem"], row["failures"]) == ("another", None, 0)
    assert one.board.items == {}


async def test_however_much_happened_elsewhere_the_feed_is_asked_twice_at_most(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple()
    await one.visit()
    await one.visit()
    first = (await couple.plan())[0]
    for name in ("Newer", "Newer yet", "Once more", "Almost", "New"):
        await couple.client.done("editMilestone", {"milestoneId": first["id"], "title": name}, "milestone { id }")
    asked = 0
    ask = EarnestContract._ask

    async def counted(self: EarnestContract, document: str, **variables: object) -> dict[str, Any]:
        nonlocal asked
        asked += document == NEWS
        return await ask(self, document, **variables)

    monkeypatch.setattr(home, "NEWS_PAGE", 2)
    monkeypatch.setattr(EarnestContract, "_ask", counted)
    reads = one.board.reads
    await one.visit()
    assert asked == 2
    assert one.board.of(first["id"]).values[Field.TITLE] == "New"
    assert one.board.reads > reads
    await one.visit()
    reads = one.board.reads
    await one.visit()
    assert one.board.reads == reads, "what was behind is behind it"


async def test_a_paused_coupling_is_left_alone_and_a_removed_one_forgotten(couple: Couple) -> None:
    one = await couple()
    await one.visit()
    assert await couplings.pause("board")
    assert await couplings.lease(9) == []
    assert await couplings.next_due_seconds() is None
    assert await couplings.resume("board")
    assert await couplings.next_due_seconds() == 0
    await one.visit()
    assert await couplings.remove("board")
    assert await couplings.next_due_seconds() is None, "else workers without couplings look all the time"
    assert not await couplings.remove("board")
    assert await fetch_value("SELECT count(*) FROM coupled_pairs") == 0
    assert len(one.board.items) == len(await couple.plan()) == 3


async def test_a_coupling_that_was_set_up_anew_says_things_for_the_first_time(couple: Couple) -> None:
    for expected in (1, 2):
        one = await couple()
        await one.visit()
        first = (await couple.plan())[0]
        one.board.change(one.board.of(first["id"]).id, {}, is_done=True)
        await one.ring()
        assert await fetch_value("SELECT count(*) FROM updates") == expected
        assert await couplings.remove("board")


async def test_secrets_lie_encrypted(couple: Couple) -> None:
    one = await couple()
    row = await one.row()
    assert (couple.client.token or "").encode() not in row["secrets"]
    assert "a secret" not in repr(await couplings.lease(1))
    assert await couplings.webhook_secret("board") == ("github", "a secret")
    assert (await sealed_secrets.survey()).current == 1
