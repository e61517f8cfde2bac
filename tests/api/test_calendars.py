"""The calendar feed, read back as a calendar program reads it: what is in it, who has its address, and how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from api.calendars import calendar_of
from escrow import calendars, database, ids, pipeline
from escrow.access import Role, Scope
from escrow.accounts import commands as account_commands
from escrow.agreement import commands as c
from escrow.calendars import DueDate
from escrow.ids import Kind
from escrow.pipeline import run
from escrow.states import MilestoneState
from escrow.writing import one_line
from tests.api.client import Caller, People, with_key
from tests.factories import DUE_ON

NASTY = 'A; b, c\\n "d"\r\nEND:VCALENDAR\r\nX'


async def made(caller: Caller, **given: Any) -> str:
    """The path of a fresh calendar."""
    payload = await caller.done("createCalendarToken", given, "token path")
    assert payload["path"] == f"/calendar/{payload['token']}.ics"
    path: str = payload["path"]
    return path


async def events(caller: Caller, path: str) -> dict[str, Any]:
    """The entries of a calendar by their identifiers."""
    answer = await caller.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    (calendar,) = Calendar.from_ical(answer.text, multiple=True)
    found = {str(event["UID"]): event for event in calendar.walk("VEVENT")}
    assert len(found) == len(calendar.walk("VEVENT"))
    return found


async def test_due_dates_are_whole_days_and_deadlines_are_moments(people: People) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    submitted = await deal.submit()
    due_at = submitted.contract.milestones[0].review_due_at
    for caller in (people.client, people.freelancer):
        shown = await events(caller, await made(caller))
        assert set(shown) == {
            f"{deal.milestone(1)}.due@earnest", f"{deal.milestone(2)}.due@earnest", f"{deal.milestone(1)}.review@earnest",
        }  # fmt: skip
        due, review = shown[f"{deal.milestone(2)}.due@earnest"], shown[f"{deal.milestone(1)}.review@earnest"]
        assert (due.start, due.end) == (DUE_ON, DUE_ON + timedelta(days=1))
        assert type(due.start) is date
        assert due_at is not None
        assert review.start == due_at.replace(microsecond=0)
        assert str(due["SUMMARY"]) == "Due: Milestone 2 (A website)"
        assert str(review["SUMMARY"]) == "Work counts as approved: Milestone 1 (A website)"
        assert "UTC" in str(due["DESCRIPTION"])
    assert await events(people.mediator, await made(people.mediator)) == {}
    assert await events(people.operator, await made(people.operator)) == {}


async def test_what_is_over_leaves_and_what_moved_keeps_its_identifier(people: People) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    path = await made(people.client)
    await deal.submit()
    first = (await events(people.client, path))[f"{deal.milestone(1)}.review@earnest"]
    await deal.request_changes()
    assert f"{deal.milestone(1)}.review@earnest" not in await events(people.client, path)
    await deal.submit()
    assert (await events(people.client, path))[f"{deal.milestone(1)}.review@earnest"].start >= first.start
    await deal.approve()
    await run(c.EditMilestone(milestone_id=deal.milestone(2), due_on=date(2099, 2, 3)), by=people.deployment.client)
    shown = await events(people.client, path)
    assert {uid: event.start for uid, event in shown.items()} == {f"{deal.milestone(2)}.due@earnest": date(2099, 2, 3)}
    offer = await people.deployment.propose("5.00")
    assert f"{offer.id}.offer@earnest" in await events(people.client, path)
    await run(c.Decline(contract_id=offer.id), by=people.deployment.freelancer)
    assert set(await events(people.client, path)) == {f"{deal.milestone(2)}.due@earnest"}


async def test_peoples_words_stay_words_whatever_is_in_them(people: People) -> None:
    await people.deployment.propose("10.00")
    for table in ("contracts", "milestones"):  # as earlier releases took them
        await database.execute(f"UPDATE {table} SET title = $1", NASTY)
    shown = await events(people.client, await made(people.client))
    said = 'A; b, c\\n "d" END:VCALENDAR X'
    assert {str(event["SUMMARY"]) for event in shown.values()} == {f"Due: {said} ({said})", f"Proposal expires: {said}"}


async def test_programs_are_told_what_it_is_called_and_how_often_to_ask(people: People) -> None:
    await people.deployment.fund("10.00")
    answer = await people.client.http.get(await made(people.client))
    calendar = Calendar.from_ical(answer.text)
    assert calendar.errors == []
    said = {name: str(calendar[name]) for name in ("METHOD", "NAME", "X-WR-CALNAME", "VERSION")}
    assert said == {"METHOD": "PUBLISH", "NAME": "Earnest", "X-WR-CALNAME": "Earnest", "VERSION": "2.0"}
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in answer.text
    assert "X-PUBLISHED-TTL:PT1H\r\n" in answer.text


async def test_a_deadline_rings_a_day_before_and_a_due_date_does_not(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await deal.submit()
    shown = await events(people.client, await made(people.client))
    (alarm,) = shown[f"{deal.milestone()}.review@earnest"].walk("VALARM")
    assert (str(alarm["ACTION"]), alarm.TRIGGER) == ("DISPLAY", timedelta(days=-1))
    assert str(alarm["DESCRIPTION"]) == "Work counts as approved: Milestone 1 (A website)"
    assert shown[f"{deal.milestone()}.due@earnest"].walk("VALARM") == []
    assert all(event.errors == [] for event in shown.values())


async def test_what_changed_has_a_greater_sequence_and_what_did_not_has_the_same() -> None:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    due = DueDate(
        milestone_id="mil_1", title="T", contract_title="C", time_zone="UTC", state=MilestoneState.PLANNED,
        due_on=DUE_ON, updated_at=since, url=None,
    )  # fmt: skip

    def sequence(one: DueDate) -> int:
        (event,) = Calendar.from_ical(calendar_of([one], [])).walk("VEVENT")
        return int(str(event["SEQUENCE"]))

    assert 0 < sequence(due) == sequence(due) < 2**31
    later = replace(due, updated_at=since + timedelta(seconds=1))
    assert sequence(later) == sequence(due) + 1
    assert sequence(replace(due, updated_at=datetime(2085, 1, 1, tzinfo=UTC))) < 2**31


async def test_an_entry_links_to_its_milestone(people: People) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    await deal.submit()
    tool = "https://jira.example/browse/EA-1?a=b,c;d"
    named = {"subjectId": deal.milestone(1), "system": "jira", "externalId": "EA-1", "url": tool}
    await people.client.done("setExternalReference", named, "__typename")

    def links(shown: dict[str, Any]) -> dict[str, str | None]:
        return {uid.removesuffix("@earnest"): event.get("URL") for uid, event in shown.items()}

    first, second = deal.milestone(1), deal.milestone(2)
    assert links(await events(people.client, await made(people.client))) == {
        f"{first}.due": tool, f"{first}.review": tool, f"{second}.due": None,
    }  # fmt: skip
    assert set(links(await events(people.freelancer, await made(people.freelancer))).values()) == {None}
    reader = await calendars.reader_of((await made(people.client)).split("/")[2].removesuffix(".ics"))
    assert reader is not None
    pattern = "https://app.example/milestones/{milestoneId}"
    body = calendar_of(await calendars.due_dates(reader), (await calendars.clocks(reader)).clocks, pattern)
    (calendar,) = Calendar.from_ical(body, multiple=True)
    page = "https://app.example/milestones/"
    assert links({str(event["UID"]): event for event in calendar.walk("VEVENT")}) == {
        f"{first}.due": page + first, f"{first}.review": page + first, f"{second}.due": page + second,
    }  # fmt: skip


ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f "

SCRIPTS = [
    "👩\u200d💻 team", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ENGLAND * 9,
    "ウェブサイトの改修" * 12, "हिन्दी वेबसाइट " * 12, "e\u0301" * 90, "Website; a, b\\n",
]  # fmt: skip


@pytest.mark.parametrize("title", SCRIPTS)
async def test_titles_of_every_script_come_back_letter_by_letter_whatever_is_folded(title: str) -> None:
    due = DueDate(
        milestone_id="mil_1", title=title, contract_title=title, time_zone="UTC", state=MilestoneState.PLANNED,
        due_on=DUE_ON, updated_at=datetime(2026, 3, 1, tzinfo=UTC), url=None,
    )  # fmt: skip
    body = calendar_of([due], [])
    (event,) = Calendar.from_ical(body).walk("VEVENT")
    assert str(event["SUMMARY"]) == f"Due: {title.strip()} ({title.strip()})"
    assert body.endswith(b"\r\n")
    for line in body.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # no character was cut


async def test_a_title_of_former_days_turns_no_words_around_but_its_own() -> None:
    assert one_line("a\u202eb") == "ab"
    assert one_line("a\u2067b") == "ab"
    assert one_line("a\u2067b\u2069\nc") == "a\u2067b\u2069 c"


async def test_the_same_dates_are_the_same_bytes_and_are_not_sent_again(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    path, http = await made(people.client), people.client.http
    first, second = await http.get(path), await http.get(path)
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["cache-control"] == "private, max-age=300"
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await http.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    head = await http.head(path)
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])
    await deal.submit()
    changed = await http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def gone(http: httpx.AsyncClient, path: str) -> bool:
    """Whether there is no calendar there."""
    answer = await http.get(path)
    assert answer.status_code in (200, 404)
    if answer.status_code == 404:
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    return answer.status_code == 404


async def test_an_address_ends_when_it_is_revoked_or_made_anew_and_cannot_be_guessed(people: People) -> None:
    http = people.client.http
    first = await made(people.client)
    assert len(first) > 60
    second = await made(people.client)
    assert (await gone(http, first), await gone(http, second)) == (True, False)
    stored = await database.fetch_row("SELECT token_sha256, owner_id FROM calendar_tokens")
    assert stored is not None
    assert second.split("/")[2].removesuffix(".ics").encode() not in bytes(stored["token_sha256"])
    other = await made(people.freelancer)
    for _ in range(2):
        assert (await people.client.done("revokeCalendarToken", {}, "revoked"))["revoked"] is True
    assert (await gone(http, second), await gone(http, other)) == (True, False)
    shouted = second.split("/")[2].removesuffix(".ics").upper()
    for guess in ("x", "cal_" + "0" * 52, ids.new(Kind.KEY), "cal_" + "z" * 52, "%00", shouted):
        assert await gone(http, f"/calendar/{guess}.ics")


async def test_it_shows_what_the_key_that_made_it_may_read_and_ends_with_the_member(people: People) -> None:
    there, http = people.deployment, people.client.http
    mine, other = await there.activate("10.00"), await there.activate("10.00")
    limited = await with_key(http, there.client, there.operator, contract_ids=(mine.id,))
    assert set(await events(limited, await made(limited))) == {f"{mine.milestone()}.due@earnest"}
    wider = await made(limited, contractIds=[mine.id, other.id, "x"])
    assert set(await events(limited, wider)) == {f"{mine.milestone()}.due@earnest"}
    chosen = await made(people.client, contractIds=[other.id])
    assert set(await events(people.client, chosen)) == {f"{other.milestone()}.due@earnest"}
    refused = await people.client.do("createCalendarToken", {"contractIds": ["x"] * 101}, "token")
    assert [error["code"] for error in refused["userErrors"]] == ["INVALID_INPUT"]

    member = account_commands.AddMember(
        account_id=people.client.account_id, member_id=ids.new(Kind.MEMBER), person="v@example.com", name="V",
        role=Role.VIEWER,
    )  # fmt: skip
    await pipeline.run(member, by=there.operator)
    viewer = await with_key(http, there.client, there.operator, member_id=member.member_id)
    their_own = await made(viewer)
    assert not await gone(http, chosen), "each member has an address of their own"
    (error,) = (await viewer.do("revokeCalendarToken", {"everybodys": True}, "revoked"))["userErrors"]
    assert error["code"] == "FORBIDDEN"
    await pipeline.run(account_commands.RemoveMember(member_id=member.member_id), by=there.operator)
    assert (await gone(http, their_own), await gone(http, chosen)) == (True, False)
    await people.client.done("revokeCalendarToken", {"everybodys": True}, "revoked")
    assert await gone(http, chosen)


async def test_it_ends_with_the_key_that_made_it_however_that_ends(people: People) -> None:
    there, http = people.deployment, people.client.http
    leaked = await with_key(http, there.client, there.operator)
    path = await made(leaked)
    key_id = await database.fetch_value("SELECT key_id FROM calendar_tokens WHERE account_id = $1", leaked.account_id)
    other = await made(people.freelancer)
    assert not await gone(http, path)
    await database.execute("UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = $1", key_id)
    assert await gone(http, path), "it expires with the key"
    await database.execute(
        "UPDATE api_keys SET expires_at = clock_timestamp() + interval '1 hour' WHERE id = $1", key_id
    )
    assert not await gone(http, path)
    await people.operator.done("revokeApiKey", {"keyId": key_id}, "apiKey { revokedAt }")
    assert (await gone(http, path), await gone(http, other)) == (True, False)
    again = await made(people.client)
    assert (await gone(http, path), await gone(http, again)) == (True, False), "a living key makes a new one"


async def test_it_ends_with_the_line_of_a_key_that_leaked(people: People) -> None:
    http, account_id = people.client.http, people.client.account_id
    given = {"accountId": account_id, "name": "child", "scopes": ["CONTRACTS_READ", "CONTRACTS_WRITE"]}
    fields = "apiKey { id createdBy } secret"
    child = await people.client.done("createApiKey", given, fields)
    own = await database.fetch_value("SELECT created_by FROM api_keys WHERE id = $1", child["apiKey"]["id"])
    assert child["apiKey"]["createdBy"] == own
    path = await made(Caller(http, child["secret"], account_id))
    listed = await people.client.ask("{ viewer { account { apiKeys { id createdBy } } } }")
    assert {"id": child["apiKey"]["id"], "createdBy": own} in listed["viewer"]["account"]["apiKeys"]
    for _ in range(2):
        await people.operator.done(
            "revokeApiKey", {"keyId": own, "withDescendants": True}, "apiKey { revokedAt }", key="after the leak"
        )
        assert await gone(http, path)
    for token in (people.client.token, child["secret"]):
        assert (await Caller(http, token).post("{ viewer { account { id } } }")).status_code == 401


async def test_a_disabled_account_keeps_its_dates_since_its_clocks_go_on(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    path = await made(people.client)
    disable = account_commands.DisableAccount(account_id=people.client.account_id)
    await pipeline.run(disable, by=people.deployment.operator)
    assert set(await events(people.client, path)) == {f"{deal.milestone()}.due@earnest"}


async def test_making_one_needs_a_key_that_reads_and_a_repetition_shows_no_secret(people: People) -> None:
    blind = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.CONTRACTS_WRITE,)
    )
    for mutation in ("createCalendarToken", "revokeCalendarToken"):
        (error,) = (await blind.do(mutation, {}, "__typename"))["userErrors"]
        assert error["code"] == "FORBIDDEN"
    first = await people.client.done("createCalendarToken", {}, "token path", key="k")
    again = await people.client.done("createCalendarToken", {}, "token path", key="k")
    assert first["token"]
    assert again == {"token": None, "path": None, "userErrors": []}
    assert not await gone(people.client.http, first["path"])


@pytest.mark.parametrize("deals", [1, 8])
async def test_a_calendar_costs_four_statements(people: People, deals: int) -> None:
    for _ in range(deals):
        await (await people.deployment.fund("10.00", "20.00")).submit()
    path = await made(people.client)
    with database.counting() as statements:
        await people.client.http.get(path)
    assert len(statements) == 4
    with database.counting() as statements:
        await people.client.http.get("/calendar/nonsense.ics")
    assert statements == []
