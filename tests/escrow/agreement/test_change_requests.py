"""Change requests: they fit when they are filed, apply as a whole or not at all, and say why they no longer fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from escrow.access import Side
from escrow.agreement import commands as c
from escrow.agreement.decisions import change_requests
from escrow.agreement.decisions.change_requests import OPEN_REQUESTS_MAX
from escrow.agreement.events import ChangeRequestFiled, ChangeRequestStale
from escrow.agreement.state import CHANGES_MAX, ChangeKind
from escrow.errors import ErrorCode, StaleChangeRequest
from tests.escrow.agreement.acts import accept, decline, file, request, sound, withdraw
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, NOWHERE, STRANGER, Story, active, folded, usd

LATER = date(2026, 5, 1)


def edit(story: Story, position: int, **given: object) -> c.EditChange:
    return replace(c.EditChange(milestone_id=story.milestone(position).id), **given)  # type: ignore[arg-type]


def amend(story: Story, position: int = 1, **given: object) -> c.AmendChange:
    return replace(c.AmendChange(milestone_id=story.milestone(position).id), **given)  # type: ignore[arg-type]


def remove(story: Story, position: int) -> c.RemoveChange:
    return c.RemoveChange(milestone_id=story.milestone(position).id)


def move(story: Story, position: int, to: int) -> c.MoveChange:
    return c.MoveChange(milestone_id=story.milestone(position).id, position=to)


def of_every_kind() -> Story:
    """A request that adds, edits, moves, removes and amends, on a contract whose first milestone is under way."""
    story = active("100.00", "50.00", "20.00").pay(1)
    added = story.draft("7.00", title="A sitemap", purpose="It is found", deliverables=("One file",))
    return file(
        story,
        c.AddChange(milestone=added, position=2),
        edit(story, 2, title="Bigger", amount=usd("55.00")),
        move(story, 3, 2),
        remove(story, 2),
        amend(story, 1, due_on=LATER, deliverables=("A better page",)),
    )


def test_a_request_keeps_its_operations_in_order_and_its_words_apart() -> None:
    story = of_every_kind()
    assert (story.code(), story.happened()) == (None, ["change_request.filed"])
    event = story.log[-1].event
    assert isinstance(event, ChangeRequestFiled)
    kinds = [ChangeKind.ADD, ChangeKind.EDIT, ChangeKind.MOVE, ChangeKind.REMOVE, ChangeKind.AMEND]
    assert [change.kind for change in event.changes] == kinds
    assert (event.filed_by, event.message, event.plan_version) == (Side.FREELANCER, "Please", 1)
    assert [words.title for words in event.words] == ["A sitemap", "Bigger", None, None, None]
    assert story.state.plan_version == 1, "nothing changed yet"


def test_an_accepted_request_applies_all_of_its_operations_in_order() -> None:
    story = accept(of_every_kind().wait(HOUR))
    assert story.happened() == [
        "change_request.accepted",
        "milestone.added",
        "milestone.edited",
        "milestone.moved",
        "milestone.removed",
        "milestone.amended",
    ]
    assert [(one.title, one.state.value, one.amount_minor) for one in story.state.milestones] == [
        ("A page", "ACTIVE", 100_00),
        ("A page", "PLANNED", 20_00),
        ("A sitemap", "PLANNED", 7_00),
        ("Bigger", "CANCELLED", 55_00),
    ]
    first = story.milestone(1)
    assert (first.due_on, first.deliverables, first.held_minor) == (LATER, ("A better page",), 100_00)
    assert (story.state.plan_version, request(story).state) == (6, "ACCEPTED")
    assert all(recorded.actor == CLIENT for recorded in story.log[-6:])
    sound(story)


def test_the_other_side_sees_the_plan_before_and_after() -> None:
    story = of_every_kind()
    seen = change_requests.compare(story.state, request(story), around=story.around())
    assert seen.before == story.state.milestones
    assert seen.misfit is None
    accept(story)
    assert seen.after is not None
    ours = [replace(one, updated_at=None) for one in seen.after]
    assert ours == [replace(one, updated_at=None) for one in story.state.milestones]
    story = of_every_kind().remove(2)
    seen = change_requests.compare(story.state, request(story), around=story.around())
    assert seen.after is None
    assert seen.misfit is not None
    assert (seen.misfit.operation, seen.misfit.refusal.code) == (1, ErrorCode.MILESTONE_LOCKED)


def test_a_request_that_no_longer_fits_is_refused_changes_nothing_and_is_stale_from_then_on() -> None:
    story = of_every_kind().remove(2).wait(HOUR)
    plan_before = story.state.milestones
    accept(story)
    assert story.last is not None
    refusal = story.last.refusal
    assert isinstance(refusal, StaleChangeRequest)
    assert (refusal.details["changeNumber"], refusal.details["code"]) == (2, "MILESTONE_LOCKED")
    assert str(refusal.details["reason"]) in refusal.message
    assert story.happened() == ["change_request.stale"]
    event = story.log[-1].event
    assert isinstance(event, ChangeRequestStale)
    assert (event.change_number, event.code) == (2, ErrorCode.MILESTONE_LOCKED)
    assert (story.state.milestones, request(story).state) == (plan_before, "STALE")
    assert folded(story.id, story.log) == story.state
    for answer in (accept, decline):
        assert (answer(story).code(), story.happened()) == ("INVALID_STATE", [])


def test_only_the_acceptance_that_finds_a_request_stale_says_so_and_a_later_one_meets_a_wrong_state() -> None:
    story = of_every_kind().remove(2)
    assert (accept(story).code(), story.happened()) == ("STALE_CHANGE_REQUEST", ["change_request.stale"])
    for _ in range(2):
        assert (accept(story).code(), story.happened()) == ("INVALID_STATE", [])
    story = file(active("1.00", "2.00").pay(1), c.AddChange(milestone=Story().draft("5.00"))).end(
        by=FREELANCER, giving_up="1.00"
    )
    assert (request(story).state, accept(story).code()) == ("STALE", "INVALID_STATE")


def test_a_stale_request_stays_written_beside_the_deadlines_that_were_due() -> None:
    story = active("100.00", "50.00").pay(1).submit(1)
    file(story, edit(story, 2, title="Bigger")).fund(2).wait(14 * 24 * HOUR)
    accept(story)
    assert story.happened() == [
        "deposit.abandoned",
        "milestone.released",
        "change_request.accepted",
        "milestone.edited",
    ]
    story = active("100.00", "50.00").pay(1).submit(1)
    file(story, edit(story, 2, title="Bigger")).remove(2).wait(14 * 24 * HOUR)
    accept(story)
    assert story.code() == "INVALID_STATE", "the contract is complete, and the request went with it"
    assert story.happened() == ["milestone.released", "contract.completed", "change_request.stale"]


def test_operations_see_what_the_ones_before_them_did() -> None:
    story = active("1.00", "2.00")
    file(story, remove(story, 2), edit(story, 2, title="Gone"))
    assert (story.code(), story.state.change_requests) == ("MILESTONE_LOCKED", {})
    file(story, edit(story, 2, title="Once"), edit(story, 2, title="Twice"), move(story, 2, 1))
    accept(story)
    assert [one.title for one in story.state.milestones] == ["Twice", "A page"]


REFUSED = {
    "an unknown milestone": (lambda s: (c.RemoveChange(milestone_id=NOWHERE), edit(s, 1)), "NOT_FOUND"),
    "a locked one": (lambda s: (edit(s, 1, title="T"),), "MILESTONE_LOCKED"),
    "moving a locked one": (lambda s: (move(s, 1, 2),), "MILESTONE_LOCKED"),
    "removing a locked one": (lambda s: (remove(s, 1),), "MILESTONE_LOCKED"),
    "amending a planned one": (lambda s: (amend(s, 2, due_on=LATER),), "MILESTONE_LOCKED"),
    "locked before bad input": (lambda s: (edit(s, 2, title=""), remove(s, 1)), "MILESTONE_LOCKED"),
    "a bad amount": (lambda s: (edit(s, 2, amount=usd("0.001")),), "INVALID_INPUT"),
    "a bad title": (lambda s: (c.AddChange(milestone=s.draft(title=" ")),), "INVALID_INPUT"),
    "nothing to edit": (lambda s: (edit(s, 2),), "INVALID_INPUT"),
    "nothing to amend": (lambda s: (amend(s, 1),), "INVALID_INPUT"),
    "a bad due date": (lambda s: (amend(s, 1, due_on=date(1, 1, 1)),), "INVALID_INPUT"),
    "a place that isn't there": (lambda s: (move(s, 2, 9),), "INVALID_INPUT"),
    "bad input before a bad place": (lambda s: (move(s, 2, 1), edit(s, 3, title="")), "INVALID_INPUT"),
    "a place before what is under way": (lambda s: (move(s, 2, 1),), "OUT_OF_SEQUENCE"),
    "adding before what is under way": (lambda s: (c.AddChange(milestone=s.draft(), position=1),), "OUT_OF_SEQUENCE"),
    "no change at all": (lambda s: (), "INVALID_INPUT"),
    "too many": (lambda s: (edit(s, 2, title="T"),) * (CHANGES_MAX + 1), "INVALID_INPUT"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_not_filed(what: str) -> None:
    story = active("100.00", "50.00", "20.00").pay(1)
    make, code = REFUSED[what]
    file(story, *make(story))  # type: ignore[no-untyped-call]
    assert (story.code(), story.happened(), story.state.change_requests) == (code, [], {})


def test_a_refusal_names_the_operation() -> None:
    story = active("100.00", "50.00").pay(1)
    file(story, edit(story, 2, title="T"), c.AddChange(milestone=story.draft("0")))
    assert story.last is not None
    assert story.last.refusal is not None
    assert story.last.refusal.field == "changes.1.add.milestone.amount.amount"


def test_a_request_has_a_message() -> None:
    story = active()
    assert file(story, edit(story, 1, title="T"), message=" ").code() == "INVALID_INPUT"


def test_the_client_only_asks_to_amend() -> None:
    story = active("100.00", "50.00").pay(1)
    for change in (
        edit(story, 2, title="T"),
        remove(story, 2),
        move(story, 2, 2),
        c.AddChange(milestone=story.draft()),
    ):
        assert (file(story, change, by=CLIENT).code(), story.happened()) == ("INVALID_INPUT", [])
    assert file(story, amend(story, due_on=LATER), by=CLIENT).code() is None
    accept(story, by=FREELANCER)
    assert (story.happened(), story.milestone().due_on) == (["change_request.accepted", "milestone.amended"], LATER)


def test_a_client_that_asks_to_edit_finds_a_locked_milestone_locked_and_a_planned_one_its_own_to_edit() -> None:
    story = active("100.00", "50.00").pay(1)
    for position, code in ((1, "MILESTONE_LOCKED"), (2, "INVALID_INPUT")):
        for change in (edit(story, position, title="T"), remove(story, position), move(story, position, position)):
            assert (file(story, change, by=CLIENT).code(), story.happened()) == (code, [])


@pytest.mark.parametrize("hold", ["none", "refund", "dispute"])
@pytest.mark.parametrize("side", list(Side))
def test_what_holds_money_is_amended_by_either_side_also_under_a_hold(hold: str, side: Side) -> None:
    story = active("100.00", "50.00").pay(1).submit(1)
    if hold == "refund":
        story.request_refund()
    elif hold == "dispute":
        story.open_dispute()
    author, other = (CLIENT, FREELANCER) if side is Side.CLIENT else (FREELANCER, CLIENT)
    before = story.milestone()
    accept(file(story, amend(story, due_on=LATER, deliverables=()), by=author), by=other)
    after = story.milestone()
    assert replace(after, updated_at=None) == replace(before, due_on=LATER, deliverables=(), updated_at=None)


def test_what_waits_for_its_turn_is_amended_what_is_closed_is_not() -> None:
    story = active("1.00", "2.00", "3.00").pay(1).pay(2)
    assert file(story, amend(story, 2, due_on=LATER)).code() is None
    story.approve(1)
    assert file(story, amend(story, 1, due_on=LATER)).code() == "MILESTONE_LOCKED"


def test_each_side_answers_what_the_other_filed_and_takes_back_its_own() -> None:
    story = active("100.00", "50.00")
    file(story, edit(story, 2, title="T"))
    for answer in (accept, decline):
        assert (answer(story, by=FREELANCER).code(), story.happened()) == ("FORBIDDEN", [])
    assert (withdraw(story, by=CLIENT).code(), story.happened()) == ("FORBIDDEN", [])
    assert withdraw(story).happened() == ["change_request.withdrawn"]
    assert request(story).state == "WITHDRAWN"
    file(story, edit(story, 2, title="T"))
    assert decline(story).happened() == ["change_request.declined"]
    assert (request(story).state, story.milestone(2).title) == ("DECLINED", "A page")
    for act in (accept, decline):
        assert act(story).code() == "INVALID_STATE"
    assert accept(story, by=FREELANCER).code() == "INVALID_STATE", "its state comes before whose turn it is"
    assert accept(story, by=STRANGER).code() == "NOT_FOUND"


def test_a_request_that_is_not_there_is_not_found() -> None:
    story = active().pay()
    story.do(c.AcceptChangeRequest(change_request_id="chg_00000000000000000000000001"), CLIENT)
    assert story.code() == "NOT_FOUND"


def test_requests_may_name_the_version_that_they_are_based_on() -> None:
    story = active().edit(1, title="T")
    command = c.FileChangeRequest(
        contract_id=story.id,
        change_request_id="chg_00000000000000000000000001",
        changes=(edit(story, 1, title="U"),),
        message="M",
        expected_version=1,
    )
    story.do(command, FREELANCER)
    assert story.code() == "VERSION_CONFLICT"
    story.do(replace(command, expected_version=2), FREELANCER)
    story.do(c.AcceptChangeRequest(change_request_id=request(story).id, expected_version=1), CLIENT)
    assert (story.code(), request(story).state) == ("VERSION_CONFLICT", "OPEN")


def test_requests_do_not_expire_and_stop_no_clock() -> None:
    story = active("100.00", "50.00").pay(1).submit(1)
    due = story.milestone().review_due_at
    file(story, edit(story, 2, title="T"))
    assert story.milestone().review_due_at == due
    story.wait(1000 * 24 * HOUR)
    assert accept(story).code() is None


def test_leaving_active_makes_open_requests_stale() -> None:
    story = active("100.00", "50.00").pay(1)
    file(story, edit(story, 2, title="T"))
    file(story, edit(story, 2, title="U"))
    story.end(by=FREELANCER, giving_up="100.00")
    assert story.happened()[-3:] == ["contract.ended", "change_request.stale", "change_request.stale"]
    assert {one.state for one in story.state.change_requests.values()} == {"STALE"}
    assert accept(story).code() == "INVALID_STATE"


def test_accepting_the_removal_of_what_was_left_completes_the_contract() -> None:
    story = active("100.00", "50.00").pay(1)
    file(story, remove(story, 2)).approve(1)
    accept(story)
    assert story.happened() == ["change_request.accepted", "milestone.removed", "contract.completed"]


def test_nothing_is_added_by_request_while_the_client_ends_the_contract() -> None:
    story = active("100.00", "50.00").pay(1)
    file(story, c.AddChange(milestone=story.draft())).end()
    assert (accept(story).code(), story.happened()) == ("STALE_CHANGE_REQUEST", ["change_request.stale"])
    file(story, c.AddChange(milestone=story.draft()))
    assert story.code() == "INVALID_STATE"
    assert accept(file(story, edit(story, 2, title="T"))).code() is None


def test_a_proposal_is_changed_by_a_revision_not_by_request() -> None:
    story = Story().propose()
    assert file(story, edit(story, 1, title="T")).code() == "INVALID_STATE"


def test_a_side_has_so_many_open_requests_at_most() -> None:
    story = active("100.00", "50.00").pay(1)
    for _ in range(OPEN_REQUESTS_MAX):
        assert file(story, edit(story, 2, title="T")).code() is None
    assert file(story, edit(story, 2, title="T")).code() == "INVALID_INPUT"
    assert file(story, amend(story, due_on=LATER), by=CLIENT).code() is None
    story.do(c.WithdrawChangeRequest(change_request_id=next(iter(story.state.change_requests))), FREELANCER)
    assert file(story, edit(story, 2, title="T")).code() is None


def test_a_request_whose_words_were_erased_is_found_stale() -> None:
    story = active("100.00", "50.00")
    file(story, c.AddChange(milestone=story.draft()))
    mute = replace(request(story), words=(), message="")
    story.contract = replace(story.state, change_requests={mute.id: mute})
    assert (accept(story).code(), story.happened()) == ("STALE_CHANGE_REQUEST", ["change_request.stale"])


@pytest.mark.parametrize("amended", [False, True])
def test_nothing_of_an_operation_is_carried_out_once_its_words_were_erased(amended: bool) -> None:
    story = active("100.00", "50.00").pay(1)
    change = amend(story, due_on=LATER, deliverables=["x"]) if amended else edit(story, 2, title="T", due_on=LATER)
    file(story, change)
    mute = replace(request(story), words=(), message="")
    story.contract = replace(story.state, change_requests={mute.id: mute})
    plan = story.state.milestones
    assert (accept(story).code(), story.happened()) == ("STALE_CHANGE_REQUEST", ["change_request.stale"])
    assert story.state.milestones == plan


def test_an_added_milestone_has_its_identifier_from_the_filing_on() -> None:
    story = active()
    draft = story.draft("3.00")
    accept(file(story, c.AddChange(milestone=draft)))
    assert story.milestone(3).id == draft.id
