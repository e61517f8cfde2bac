"""Proposals and counter-offers: who may answer whom, what a revision carries over, and how a proposal dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from escrow.access import PROVIDER, AccountType, Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.events import ContractAccepted, ContractProposed, ContractRevised, MilestoneAdded
from escrow.agreement.state import Contract, Fees
from escrow.ids import Kind
from escrow.money import RawMoney
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    FREELANCER,
    FREELANCER_ID,
    OPERATOR,
    STRANGER,
    Story,
    active,
    party,
    usd,
)

EITHER = pytest.mark.parametrize("author", [CLIENT, FREELANCER], ids=["client", "freelancer"])


def other(actor: Actor) -> Actor:
    return FREELANCER if actor is CLIENT else CLIENT


@EITHER
def test_either_side_writes_the_first_proposal_and_it_is_the_others_turn(author: Actor) -> None:
    story = Story().propose("100.00", "50.00", by=author)
    assert story.happened() == ["contract.proposed", "milestone.added", "milestone.added"]
    state = story.state
    assert (state.state, state.revision, state.turn) == ("PROPOSED", 1, state.side_of(other(author).account_id))
    assert [(one.position, one.amount_minor, one.state.value) for one in state.milestones] == [
        (1, 100_00, "PLANNED"),
        (2, 50_00, "PLANNED"),
    ]


@EITHER
def test_the_side_whose_turn_it_is_accepts_revises_or_declines_and_the_other_only_withdraws(author: Actor) -> None:
    for by, allowed in ((other(author), ["accept", "revise", "decline"]), (author, ["withdraw"])):
        for name in ("accept", "revise", "decline", "withdraw"):
            story = Story().propose(by=author)
            story.do(answers(story)[name], by)
            assert story.code() == (None if name in allowed else "FORBIDDEN"), f"{name} by {by.account_id}"


def answers(story: Story) -> dict[str, c.Command]:
    return {
        "accept": c.Accept(contract_id=story.id, revision=story.state.revision),
        "revise": c.Revise(contract_id=story.id, terms=c.Terms(), plan=story.plan("1.00")),
        "decline": c.Decline(contract_id=story.id),
        "withdraw": c.Withdraw(contract_id=story.id),
    }


def test_the_turn_changes_with_every_revision() -> None:
    story = Story().propose(by=FREELANCER)
    for turn in (Side.CLIENT, Side.FREELANCER, Side.CLIENT):
        assert story.state.turn is turn
        story.do(answers(story)["revise"], party(turn.other))
        assert story.code() == "FORBIDDEN"
        story.revise(by=party(turn))
        assert story.code() is None


def test_a_revision_makes_new_milestones_and_cancels_the_old_ones() -> None:
    story = Story().propose("100.00")
    old = story.milestone().id
    story.revise("60.00", "40.00")
    assert story.happened() == ["milestone.cancelled", "contract.revised", "milestone.added", "milestone.added"]
    assert story.state.former[old].state == "CANCELLED"
    assert old not in {one.id for one in story.state.milestones}
    assert [(one.revision, one.position) for one in story.state.milestones] == [(2, 1), (2, 2)]


def test_a_revision_keeps_what_it_omits_and_changes_what_it_says() -> None:
    terms = c.Terms(
        title="A website", description="Of five pages", currency="USD", time_zone="Europe/Lisbon", budget=usd("500.00")
    )
    story = Story().propose(terms=terms).revise()
    state = story.state
    assert said(state) == ("A website", "Of five pages", "USD", "Europe/Lisbon", 500_00)
    story.revise(terms=c.Terms(title="A shop", description="", currency="USD", time_zone="UTC", budget=usd("1.00")))
    assert said(story.state) == ("A shop", "", "USD", "UTC", 1_00)


def said(state: Contract) -> tuple[str, str, str, str, int | None]:
    return state.title, state.description, state.currency, state.time_zone, state.budget_minor


def test_a_contract_keeps_its_currency() -> None:
    story = Story().propose()
    assert story.revise(terms=c.Terms(currency="EUR")).code() == "INVALID_INPUT"
    euros = (story.draft(amount=RawMoney(usd("1.00").amount, "EUR")),)
    story.do(c.Revise(contract_id=story.id, terms=c.Terms(), plan=euros), CLIENT)
    assert story.code() == "INVALID_INPUT"
    assert story.state.revision == 1


def test_each_revision_is_a_snapshot_of_the_fees_and_acceptance_freezes_it() -> None:
    story = Story(fees=Fees(100, 200)).propose()
    story.fees = Fees(300, 400)
    assert story.state.fees == Fees(100, 200)
    story.revise()
    assert story.state.fees == Fees(300, 400)
    story.fees = Fees(500, 600)
    story.accept()
    assert story.state.fees == Fees(300, 400)
    story.pay().approve()
    assert story.books()["fees:USD", "USD"] == 90_00 * 300 // 10_000 + 90_00 * 400 // 10_000


@pytest.mark.parametrize("revision", [0, 1, 3, -1])
def test_accepting_another_revision_than_the_one_on_the_table_is_a_version_conflict(revision: int) -> None:
    story = Story().propose().revise().accept(revision=revision)
    assert (story.code(), story.state.state) == ("VERSION_CONFLICT", "PROPOSED")


def test_acceptance_names_the_revision_and_who_accepted() -> None:
    story = Story().propose(by=CLIENT).revise().accept()
    event = story.log[-1].event
    assert event == ContractAccepted(revision=2, accepted_by=Side.CLIENT)
    assert story.state.state == "ACTIVE"
    assert story.states() == ["PLANNED", "PLANNED"]


@pytest.mark.parametrize(
    ("dies", "state"),
    [
        (lambda story: story.decline(), "DECLINED"),
        (lambda story: story.withdraw(), "WITHDRAWN"),
    ],
    ids=["declined", "withdrawn"],
)
def test_a_dead_proposal_cancels_its_milestones_and_nothing_brings_it_back(
    dies: Callable[[Story], Story], state: str
) -> None:
    story = dies(Story().propose())
    assert (story.state.state, story.states()) == (state, ["CANCELLED", "CANCELLED"])
    for command in answers(story).values():
        for actor in (CLIENT, FREELANCER):
            story.do(command, actor)
            assert story.code() == "INVALID_STATE"


@pytest.mark.parametrize("name", ["accept", "revise"])
@pytest.mark.parametrize(("disabled", "code"), [("client", "FORBIDDEN"), ("freelancer", "INVALID_STATE")])
def test_a_disabled_party_bars_accepting_and_revising_for_both(name: str, disabled: str, code: str) -> None:
    story = Story().propose(by=FREELANCER)
    setattr(story, disabled, replace(getattr(story, disabled), disabled=True))
    story.do(answers(story)[name], CLIENT)
    assert (story.code(), story.happened()) == (code, [])


@pytest.mark.parametrize("disabled", ["client", "freelancer"])
def test_a_disabled_party_keeps_nobody_from_ending_a_proposal(disabled: str) -> None:
    for name, by in (("decline", CLIENT), ("withdraw", FREELANCER)):
        story = Story().propose(by=FREELANCER)
        setattr(story, disabled, replace(getattr(story, disabled), disabled=True))
        story.do(answers(story)[name], by)
        assert story.code() is None


@EITHER
@pytest.mark.parametrize("disabled", ["client", "freelancer"])
def test_nobody_proposes_to_or_as_a_disabled_account(author: Actor, disabled: str) -> None:
    story = Story()
    setattr(story, disabled, replace(getattr(story, disabled), disabled=True))
    story.propose(by=author)
    own = (author is CLIENT) == (disabled == "client")
    assert (story.code(), story.contract) == ("FORBIDDEN" if own else "INVALID_STATE", None)


def test_the_parties_differ_and_share_no_member_when_proposing_and_when_accepting() -> None:
    assert Story(share_member=True).propose().code() == "SAME_PARTY"
    story = Story().propose()
    story.share_member = True
    assert (story.accept().code(), story.state.state) == ("SAME_PARTY", "PROPOSED")
    assert story.revise().code() is None, "revising is not among what the law checks"
    themselves = Story()
    themselves.freelancer = themselves.client
    command = c.Propose(
        contract_id=themselves.fresh(Kind.CONTRACT),
        client_id=CLIENT_ID,
        freelancer_id=CLIENT_ID,
        terms=c.Terms(title="For myself", currency="USD"),
        plan=themselves.plan("1.00"),
    )
    themselves.do(command, CLIENT)
    assert themselves.code() == "SAME_PARTY"


@pytest.mark.parametrize("actor", [STRANGER, OPERATOR, PROVIDER], ids=["stranger", "operator", "provider"])
def test_nobody_proposes_for_others(actor: Actor) -> None:
    story = Story().propose(by=actor)
    assert (story.code(), story.contract) == ("FORBIDDEN", None)


@pytest.mark.parametrize(("missing", "by"), [("client", FREELANCER), ("freelancer", CLIENT)])
def test_nobody_proposes_to_an_account_that_does_not_exist(missing: str, by: Actor) -> None:
    assert Story(**{missing: None}).propose(by=by).code() == "NOT_FOUND"  # type: ignore[arg-type]


def test_a_freelancer_is_an_individual_or_an_agency() -> None:
    for account_type, code in (
        (AccountType.INDIVIDUAL, None),
        (AccountType.AGENCY, None),
        (AccountType.COMPANY, "INVALID_INPUT"),
    ):
        story = Story()
        assert story.freelancer is not None
        story.freelancer = replace(story.freelancer, type=account_type)
        assert story.propose().code() == code


@pytest.mark.parametrize("side", ["client", "freelancer"])
def test_the_operators_account_is_no_party(side: str) -> None:
    story = Story()
    party = getattr(story, side)
    setattr(story, side, replace(party, is_operator=True))
    assert (story.propose(by=CLIENT).code(), story.contract) == ("INVALID_INPUT", None)


def test_what_was_proposed_is_in_the_log_whole() -> None:
    story = Story().propose("100.00", by=CLIENT)
    proposed, added = (recorded.event for recorded in story.log)
    assert isinstance(proposed, ContractProposed)
    assert isinstance(added, MilestoneAdded)
    assert (proposed.client_id, proposed.freelancer_id, proposed.written_by) == (CLIENT_ID, FREELANCER_ID, Side.CLIENT)
    assert (proposed.currency, proposed.time_zone, proposed.deposit_term) == ("USD", "UTC", "FIRST")
    assert added.amount.wire() == {"amount": "100.00", "currency": "USD"}


def test_a_revision_bases_itself_on_the_plan_version_that_it_names() -> None:
    story = Story().propose()
    version = story.state.plan_version
    for named, code in ((version + 1, "VERSION_CONFLICT"), (version, None)):
        story.do(
            c.Revise(contract_id=story.id, terms=c.Terms(), plan=story.plan("1.00"), expected_version=named), CLIENT
        )
        assert story.code() == code
    assert isinstance(story.log[-2].event, ContractRevised)
    assert story.state.plan_version > version


def test_the_plan_of_a_proposal_changes_only_by_revision() -> None:
    story = Story().propose()
    changes: list[Callable[[], Story]] = [story.add, story.edit, story.remove, lambda: story.move(1, 2)]
    for change in changes:
        assert change().code() == "INVALID_STATE"


def test_no_work_is_handed_in_before_both_agreed() -> None:
    assert Story().propose().submit().code() == "INVALID_STATE"
    assert active().submit().code() == "INVALID_STATE", "nor before the money is there"
