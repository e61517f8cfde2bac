"""Progress updates, which are part of the record, and the silence that the operator is told of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.access import Role, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import ContractDormant, UpdatePosted
from escrow.agreement.state import UPDATES_MAX, Attachment
from tests.escrow.agreement.acts import file, fund_all, sound, update
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    FREELANCER,
    HOUR,
    NOWHERE,
    OPERATOR,
    STRANGER,
    Story,
    account,
    active,
)

DAY = 24 * HOUR
SHA = "0123456789abcdef" * 4


def test_either_side_says_how_it_goes_on_the_contract_or_on_a_milestone() -> None:
    story = active().pay()
    command = c.PostUpdate(
        contract_id=story.id,
        message="Half of it",
        milestone_id=story.milestone(1).id,
        links=("https://example.com/half",),
        attachments=(Attachment("half.png", SHA),),
    )
    story.do(command, FREELANCER)
    update(story, by=CLIENT)
    first, second = (recorded.event for recorded in story.log[-2:])
    assert isinstance(first, UpdatePosted)
    assert isinstance(second, UpdatePosted)
    assert (first.number, first.posted_by, first.milestone_id) == (1, Side.FREELANCER, story.milestone(1).id)
    assert (second.number, second.posted_by, second.milestone_id) == (2, Side.CLIENT, None)
    assert story.state.updates_posted == 2
    assert [one.message for one in story.state.updates.values()] == ["Half of it", "Half done"]
    sound(story)


def test_updates_are_for_contracts_on_the_table_or_under_way() -> None:
    assert update(Story().propose()).code() is None
    assert update(active().pay().approve().remove(2)).code() == "INVALID_STATE", "it is completed"
    assert update(Story().propose().decline()).code() == "INVALID_STATE"


def test_an_update_may_be_about_a_closed_milestone_but_not_about_one_that_is_not_there() -> None:
    story = active().pay().approve()
    assert update(story, position=1).code() is None
    story.do(c.PostUpdate(contract_id=story.id, message="M", milestone_id=NOWHERE), FREELANCER)
    assert (story.code(), story.happened()) == ("NOT_FOUND", [])


def test_a_member_posts_updates_a_viewer_and_outsiders_do_not() -> None:
    story = active()
    assert update(story, by=account(CLIENT_ID, role=Role.MEMBER)).code() is None
    assert update(story, by=account(CLIENT_ID, role=Role.VIEWER)).code() == "FORBIDDEN"
    assert update(story, by=OPERATOR).code() == "FORBIDDEN"
    assert update(story, by=STRANGER).code() == "NOT_FOUND"


def test_an_update_says_something_and_there_are_so_many_at_most() -> None:
    story = active()
    assert update(story, message=" ").code() == "INVALID_INPUT"
    story.contract = replace(story.state, updates_posted=UPDATES_MAX - 1)
    assert update(story).code() is None
    assert (update(story).code(), story.happened()) == ("INVALID_INPUT", [])


def test_the_operator_is_told_once_of_each_silence_while_money_is_held_and_no_clock_runs() -> None:
    story = active("100.00").pay()
    began = story.now
    story.wait(400 * DAY).sweep()
    assert story.happened() == ["contract.dormant"]
    event = story.log[-1].event
    assert isinstance(event, ContractDormant)
    assert (event.silent_since, event.held.minor, story.log[-1].at) == (began, 100_00, began + 180 * DAY)
    assert story.wait(400 * DAY).sweep().happened() == []
    update(story).wait(180 * DAY).sweep()
    assert story.happened() == ["contract.dormant"], "any other event begins a new silence"
    sound(story)


def test_a_silence_is_told_in_the_write_of_the_command_that_breaks_it() -> None:
    story = active("100.00").pay().wait(200 * DAY).submit()
    assert story.happened() == ["contract.dormant", "milestone.submitted"]
    assert not story.state.is_dormant


@pytest.mark.parametrize(
    "story",
    [
        active("100.00"),
        active("100.00").fund(),
        active("100.00").pay().submit(),
        active("100.00").pay().request_refund(),
        active("100.00").pay().open_dispute(),
        active("100.00").pay().open_dispute().reject_claim(),
        fund_all(Story().propose("100.00", by=CLIENT)).confirm(),
        active("100.00").pay().approve(),
    ],
    ids=["no money", "a deposit", "a review", "a request", "a dispute", "mediation", "an offer", "all paid"],
)
def test_where_no_money_is_held_or_a_clock_runs_nobody_is_told(story: Story) -> None:
    assert "DORMANCY" not in [clock.kind for clock in deadlines(story.state)]


def test_nobody_sees_the_silence_as_a_deadline_and_a_change_request_does_not_stop_it() -> None:
    story = active("100.00").pay()
    assert next_deadline(story.state) is None
    file(story, c.AmendChange(milestone_id=story.milestone().id, deliverables=()))
    assert story.wait(180 * DAY).sweep().happened() == ["contract.dormant"]
