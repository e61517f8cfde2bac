"""Who can't see a contract learns nothing of it: neither that it exists nor what state it is in, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.access import PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.agreement.permit import permit
from escrow.errors import NotFound
from escrow.ids import Kind
from escrow.rules import RULES, Action
from tests.escrow.agreement.stage import CLIENT, HOUR, NOWHERE, OPERATOR, STRANGER, Story, active, named

ELSEWHERE = named(Kind.CONTRACT, 7)
LIMITED = replace(CLIENT, contract_ids=frozenset({ELSEWHERE}))


@pytest.mark.parametrize("actor", [STRANGER, LIMITED], ids=["stranger", "key limited to another contract"])
def test_whoever_may_not_see_a_contract_is_told_that_it_is_not_there(actor: Actor) -> None:
    story = active()
    for action in Action:
        refusal = permit(story.state, action, story.milestone().id, actor=actor, around=story.around())
        assert isinstance(refusal, NotFound), action
    before = story.state
    story.do(c.Approve(milestone_id=story.milestone().id), actor)
    assert story.code() == "NOT_FOUND"
    assert story.state is before


def test_a_key_limited_to_this_contract_acts_on_it() -> None:
    story = active()
    story.do(story.funding(), replace(CLIENT, contract_ids=frozenset({story.id})))
    assert story.code() is None


def test_a_stranger_does_not_even_apply_what_is_due() -> None:
    story = Story().propose()
    story.wait(31 * 24 * HOUR).do(c.Accept(contract_id=story.id, revision=1), STRANGER)
    assert (story.code(), story.state.state, story.happened()) == ("NOT_FOUND", "PROPOSED", [])


def test_the_operator_sees_a_contract_and_may_do_none_of_what_its_parties_do() -> None:
    story = active()
    for action in (action for action in Action if not RULES[action].operator):
        refusal = permit(story.state, action, story.milestone().id, actor=OPERATOR, around=story.around())
        assert refusal is not None
        assert refusal.code == "FORBIDDEN", action


@pytest.mark.parametrize(
    "command",
    [
        c.Accept(contract_id=ELSEWHERE, revision=1),
        c.Approve(milestone_id=NOWHERE),
        c.ApplyDeadlines(contract_id=ELSEWHERE),
        c.FailDeposit(contract_id=ELSEWHERE, deposit_id="dep", reason="no"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_contract_that_does_not_exist_is_not_found(command: c.Command) -> None:
    story = Story()
    for actor in (CLIENT, PROVIDER):
        done = story.do(command, actor)
        assert (story.code(), done.after, done.recorded) == ("NOT_FOUND", None, ())
