"""Work and its review, whose turn it is, completion, and the fees that a release takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from escrow.access import Role, Side
from escrow.agreement import commands as c
from escrow.agreement.events import ContractCompleted, MilestoneChangesRequested, MilestoneReleased, MilestoneSubmitted
from escrow.agreement.state import Attachment, Fees
from escrow.ids import Kind
from escrow.states import MilestoneState
from tests.escrow.agreement.stage import FREELANCER_ID, Story, account, active, reaching


def test_a_whole_contract_runs_from_the_first_deposit_to_completion() -> None:
    story = active("100.00", "50.00")
    story.pay(1).submit(1).request_changes(1).submit(1).approve(1)
    assert story.states() == ["RELEASED", "PLANNED"]
    story.pay(2).submit(2).approve(2)
    assert (story.state.state, story.states()) == ("COMPLETED", ["RELEASED", "RELEASED"])
    completed = story.log[-1].event
    assert isinstance(completed, ContractCompleted)
    assert completed.released.minor == 150_00
    assert story.payable(Side.FREELANCER) == 90_00 + 45_00


@pytest.mark.parametrize("state", ["ACTIVE", "SUBMITTED", "CHANGES_REQUESTED"])
def test_the_client_approves_also_without_a_submission(state: str) -> None:
    story = reaching(MilestoneState(state)).approve()
    assert (story.code(), story.milestone().state) == (None, "RELEASED")


@pytest.mark.parametrize("command", [Story.submit, Story.approve, Story.request_changes])
def test_a_funded_milestone_waits_for_its_turn(command: Callable[[Story, int], Story]) -> None:
    story = active().pay(1).pay(2)
    command(story, 2)
    assert (story.code(), story.happened(), story.states()) == ("OUT_OF_SEQUENCE", [], ["ACTIVE", "FUNDED"])


def test_its_turn_comes_in_the_write_that_closes_the_one_before() -> None:
    story = active().pay(1).pay(2).approve(1)
    assert story.happened() == ["milestone.released", "milestone.activated"]
    assert {recorded.actor.account_id for recorded in story.log[-2:]} == {story.state.client_id}


def test_a_milestone_behind_a_planned_one_has_no_turn_until_that_is_removed() -> None:
    story = active("1.00", "2.00", "3.00").pay(1).approve(1)
    assert story.fund(3).code() == "OUT_OF_SEQUENCE"
    story.remove(2).pay(3)
    assert story.states() == ["RELEASED", "CANCELLED", "ACTIVE"]


def test_submissions_are_numbered_and_keep_what_was_handed_in() -> None:
    story = reaching(MilestoneState.ACTIVE)
    milestone_id = story.milestone().id
    digest = "AB" * 32
    first = c.Submit(
        milestone_id=milestone_id,
        submission_id=story.fresh(Kind.SUBMISSION),
        message="Here",
        links=("https://example.com/a?b#c",),
        attachments=(Attachment("page.pdf", digest),),
    )
    story.do(first, account(FREELANCER_ID, role=Role.MEMBER))
    assert story.code() is None
    event = story.log[-1].event
    assert isinstance(event, MilestoneSubmitted)
    assert (event.number, event.links, event.attachments) == (1, first.links, (Attachment("page.pdf", digest.lower()),))
    story.request_changes()
    note = story.log[-1].event
    assert isinstance(note, MilestoneChangesRequested)
    assert (note.number, note.note) == (1, "Bluer")
    story.submit()
    assert [one.number for one in story.state.submissions.values()] == [1, 2]


@pytest.mark.parametrize("state", ["PLANNED", "FUNDING", "SUBMITTED", "RELEASED", "CANCELLED"])
def test_work_is_handed_in_only_while_it_is_under_way(state: str) -> None:
    story = reaching(MilestoneState(state)).submit()
    assert (story.code(), story.milestone().state) == ("INVALID_STATE", state)


def test_approving_twice_releases_once() -> None:
    story = active().pay().submit().approve()
    books = story.books()
    story.approve()
    assert (story.code(), story.happened(), story.books()) == (None, [], books)


def test_approving_again_after_completion_is_a_late_click_too() -> None:
    story = active("1.00").pay().approve()
    assert story.state.state == "COMPLETED"
    assert (story.approve().code(), story.happened()) == (None, [])


def test_all_closed_and_nobody_paid_stays_active_and_can_go_on() -> None:
    story = active("1.00", "2.00").remove(1).remove(2)
    assert (story.state.state, story.states()) == ("ACTIVE", ["CANCELLED", "CANCELLED"])
    assert story.add("5.00").code() is None
    story.pay(3).approve(3)
    assert story.state.state == "COMPLETED"


def test_removing_the_last_open_milestone_completes_a_contract_that_paid_something() -> None:
    story = active("1.00", "2.00").pay(1).approve(1).remove(2)
    assert story.happened() == ["milestone.removed", "contract.completed"]


def test_to_a_completed_contract_nothing_is_added() -> None:
    story = active("1.00").pay().approve()
    assert (story.add().code(), story.fund().code(), story.submit().code()) == ("INVALID_STATE",) * 3


@pytest.mark.parametrize("client_bps", [0, 1, 333, 10_000])
@pytest.mark.parametrize("freelancer_bps", [0, 1, 333, 10_000])
@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "999", 999), ("USD", "9.99", 999), ("BHD", "0.001", 1)]
)
def test_fees_are_floored_and_every_minor_unit_arrives_somewhere(
    client_bps: int, freelancer_bps: int, currency: str, amount: str, minor: int
) -> None:
    story = Story(fees=Fees(client_bps, freelancer_bps), currency=currency).propose(amount).accept().pay().approve()
    event = next(one.event for one in story.log if isinstance(one.event, MilestoneReleased))
    assert event.freelancer_fee.minor == minor * freelancer_bps // 10_000
    assert event.client_fee.minor == minor * client_bps // 10_000
    books = story.books()
    assert books["clearing:" + currency, currency] == -(minor + event.client_fee.minor)
    assert story.payable(Side.FREELANCER) == minor - event.freelancer_fee.minor
    assert books["fees:" + currency, currency] == event.freelancer_fee.minor + event.client_fee.minor
    assert story.state.state == "COMPLETED"


@pytest.mark.parametrize("disabled", ["client", "freelancer"])
def test_work_under_way_is_finished_though_a_party_is_disabled(disabled: str) -> None:
    story = active("1.00").pay()
    setattr(story, disabled, replace(getattr(story, disabled), disabled=True))
    assert story.submit().code() is None
    assert story.request_changes().code() is None
    assert story.submit().approve().state.state == "COMPLETED"
