"""What people write: lengths to the character, texts that can be stored, dates, links and files; refusals name the field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from escrow.agreement import commands as c
from escrow.agreement.state import Attachment
from escrow.money import RawMoney
from escrow.states import MilestoneState
from tests.escrow.agreement.stage import CLIENT, FREELANCER, Story, active, reaching, usd

SHA = "0123456789abcdef" * 4
EMOJI = "👩‍🚀"


def field(story: Story) -> str | None:
    assert story.last is not None
    assert story.last.refusal is not None
    assert story.code() == "INVALID_INPUT"
    assert "\n" not in story.last.refusal.message
    return story.last.refusal.field


def proposing(**terms: Any) -> Story:
    plain = c.Terms(title="A website", description="", currency="USD")
    return Story().propose(terms=replace(plain, **terms))


def planning(**draft: Any) -> Story:
    story = active()
    story.do(c.AddMilestone(contract_id=story.id, milestone=story.draft(**draft)), CLIENT)
    return story


def submitting(**given: Any) -> Story:
    story = reaching(MilestoneState.ACTIVE)
    plain = c.Submit(milestone_id=story.milestone().id, submission_id="sub", message="Done")
    story.do(replace(plain, **given), FREELANCER)
    return story


def funding(**given: Any) -> Story:
    story = active()
    story.do(replace(story.funding(), **given), CLIENT)
    return story


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({"title": ""}, "title"),
        ({"title": " \t\n"}, "title"),
        ({"title": None}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "nul \0 byte"}, "title"),
        ({"title": "half \ud83d a pair"}, "title"),
        ({"title": "\u200b\u2060\ufeff"}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "fdp.\u202egnp"}, "title"),
        ({"title": "\u2068open"}, "title"),
        ({"description": "\x1b[31mred"}, "description"),
        ({"description": "x" * 10_001}, "description"),
        ({"description": "\udfff"}, "description"),
        ({"currency": None}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"time_zone": ""}, "timeZone"),
        ({"time_zone": "Mars/Olympus"}, "timeZone"),
        ({"time_zone": "localtime"}, "timeZone"),
        ({"time_zone": "Factory"}, "timeZone"),
        ({"time_zone": "../etc/passwd"}, "timeZone"),
        ({"budget": usd("0")}, "budget.amount"),
        ({"budget": RawMoney(usd("5").amount, "EUR")}, "budget.currency"),
        ({"windows": {"review_hours": 47}}, "windows.reviewHours"),
    ],
)
def test_terms_that_no_contract_could_have_are_refused_naming_the_field(given: dict[str, Any], at_fault: str) -> None:
    story = proposing(**given)
    assert field(story) == at_fault
    assert story.contract is None


@pytest.mark.parametrize(
    "given",
    [
        {"title": "x" * 200},
        {"title": EMOJI + " \u2067right to left\u2069"},
        {"description": "two\r\n\tlines and a page\f\u202eright to left"},
        {"description": "x" * 10_000},
        {"time_zone": "America/Argentina/Buenos_Aires"},
        {"budget": usd("10000000000000.00")},
    ],
)
def test_terms_at_their_limits_are_kept_as_they_were_written(given: dict[str, Any]) -> None:
    story = proposing(**given)
    assert story.code() is None
    for name, value in given.items():
        if name != "budget":
            assert getattr(story.state, name) == value


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({"title": " "}, "milestone.title"),
        ({"title": "x" * 201}, "milestone.title"),
        ({"title": "\u00ad\u200e"}, "milestone.title"),
        ({"title": "a\tb"}, "milestone.title"),
        ({"purpose": "\u3164"}, "milestone.purpose"),
        ({"purpose": ""}, "milestone.purpose"),
        ({"purpose": "x" * 2_001}, "milestone.purpose"),
        ({"deliverables": ("x",) * 21}, "milestone.deliverables"),
        ({"deliverables": ("fine", " ")}, "milestone.deliverables.1"),
        ({"deliverables": ("x" * 501,)}, "milestone.deliverables.0"),
        ({"due_on": date(1999, 12, 31)}, "milestone.dueOn"),
        ({"due_on": date(9999, 1, 1)}, "milestone.dueOn"),
        ({"amount": usd("0.00")}, "milestone.amount.amount"),
        ({"amount": usd("1.001")}, "milestone.amount.amount"),
        ({"amount": RawMoney(usd("5").amount, "JPY")}, "milestone.amount.currency"),
    ],
)
def test_a_milestone_that_no_plan_could_have_is_refused_naming_the_field(given: dict[str, Any], at_fault: str) -> None:
    assert field(planning(**given)) == at_fault


@pytest.mark.parametrize(
    "given",
    [
        {"title": "x" * 200, "purpose": "x" * 2_000},
        {"deliverables": ("x" * 500,) * 20},
        {"deliverables": ()},
        {"due_on": date(2000, 1, 1)},
        {"due_on": date(9998, 12, 31)},
        {"amount": usd("0.01")},
        {"amount": usd("10000000000000.00")},
    ],
)
def test_a_milestone_at_its_limits_is_taken(given: dict[str, Any]) -> None:
    assert planning(**given).code() is None


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({"message": " "}, "message"),
        ({"message": "x" * 5_001}, "message"),
        ({"links": ("https://example.com",) * 21}, "links"),
        ({"links": ("https://example.com/" + "x" * 2_000,)}, "links.0"),
        ({"links": ("javascript:alert(1)",)}, "links.0"),
        ({"links": ("https://example.com", "ftp://example.com")}, "links.1"),
        ({"links": ("https:///nowhere",)}, "links.0"),
        ({"links": ("https://example.com/a b",)}, "links.0"),
        ({"links": ("https://example.com/\n",)}, "links.0"),
        ({"attachments": (Attachment("a", SHA),) * 21}, "attachments"),
        ({"attachments": (Attachment("", SHA),)}, "attachments.0.name"),
        ({"attachments": (Attachment("x" * 256, SHA),)}, "attachments.0.name"),
        ({"attachments": (Attachment("a", SHA[:-1]),)}, "attachments.0.sha256"),
        ({"attachments": (Attachment("a", SHA), Attachment("b", "g" * 64))}, "attachments.1.sha256"),
        ({"attachments": (Attachment("a", SHA + "\n"),)}, "attachments.0.sha256"),
    ],
)
def test_work_that_cannot_be_handed_in_so_is_refused_naming_the_field(given: dict[str, Any], at_fault: str) -> None:
    story = submitting(**given)
    assert field(story) == at_fault
    assert story.milestone().state == "ACTIVE"


@pytest.mark.parametrize(
    "given",
    [
        {"message": "x" * 5_000},
        {"links": ("HTTPS://example.com/" + "x" * 1_980,) * 20},
        {"attachments": (Attachment(EMOJI * 85, SHA.upper()),) * 20},
    ],
)
def test_work_at_its_limits_is_taken(given: dict[str, Any]) -> None:
    assert submitting(**given).code() is None


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "INVALID_INPUT"), (" ", "INVALID_INPUT"), ("x" * 201, "INVALID_INPUT"), ("x" * 200, None), (None, None)],
)
def test_a_payment_token_is_short_or_absent(token: str | None, code: str | None) -> None:
    story = funding(payment_token=token)
    assert story.code() == code
    assert code is None or field(story) == "paymentToken"


def test_a_request_for_changes_needs_a_note() -> None:
    for note, code in (
        ("", "INVALID_INPUT"),
        (" \n", "INVALID_INPUT"),
        ("x" * 5_001, "INVALID_INPUT"),
        ("x" * 5_000, None),
    ):
        story = reaching(MilestoneState.SUBMITTED)
        story.do(c.RequestChanges(milestone_id=story.milestone().id, note=note), CLIENT)
        assert story.code() == code


@pytest.mark.parametrize("message", [None, "", "  "])
def test_an_empty_message_is_no_message(message: str | None) -> None:
    story = Story().propose()
    story.do(c.Decline(contract_id=story.id, message=message), CLIENT)
    assert story.code() is None
    assert getattr(story.log[-3].event, "message", "") is None


def test_a_plan_has_at_least_one_milestone() -> None:
    story = Story().propose()
    story.do(c.Revise(contract_id=story.id, terms=c.Terms(), plan=()), CLIENT)
    assert field(story) == "milestones"


def test_a_fault_in_a_plan_names_the_milestone_by_its_place() -> None:
    story = Story().propose()
    plan = (story.draft(), story.draft(title=""))
    story.do(c.Revise(contract_id=story.id, terms=c.Terms(), plan=plan), CLIENT)
    assert field(story) == "milestones.1.title"
    assert story.state.revision == 1
