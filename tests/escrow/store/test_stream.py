"""What a command on a contract names and makes: how its contract is found, and what the answer is about."""

from __future__ import annotations

from dataclasses import fields

import pytest

from escrow import ids
from escrow.agreement import commands as c
from escrow.agreement.commands import PARTY_COMMANDS, REPORTS
from escrow.ids import Kind
from escrow.store.read import Subject
from escrow.store.stream import subject_of

COMMANDS = [*PARTY_COMMANDS.values(), *REPORTS, c.ApplyDeadlines]

CONTRACT, MILESTONE, DISPUTE = (ids.new(kind) for kind in (Kind.CONTRACT, Kind.MILESTONE, Kind.DISPUTE))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_what_a_command_names_and_does_not_make_can_be_loaded(command: type[c.Command]) -> None:
    asked = command.__new__(command)
    for one in fields(command):
        object.__setattr__(asked, one.name, None)
    assert asked.named.keys() <= {one.name for one in fields(Subject)}
    assert asked.named


def test_what_a_command_is_about_to_make_is_not_looked_for() -> None:
    fund = c.Fund(milestone_id=MILESTONE, deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))
    assert subject_of(fund) == Subject(milestone_id=MILESTONE)
    assert subject_of(c.AcceptClaim(dispute_id=DISPUTE)) == Subject(dispute_id=DISPUTE)


def test_a_name_that_no_row_can_have_is_looked_for_as_nobodys() -> None:
    assert subject_of(c.CancelFunding(milestone_id="\ud800")) == Subject(milestone_id="")
    assert subject_of(c.CancelFunding(milestone_id=CONTRACT)) == Subject(milestone_id="")


def test_milestones_of_a_change_request_are_looked_for_beside_its_contract() -> None:
    filing = c.FileChangeRequest(
        contract_id=CONTRACT,
        change_request_id=ids.new(Kind.CHANGE_REQUEST),
        changes=(c.RemoveChange(milestone_id=MILESTONE), c.RemoveChange(milestone_id="nonsense")),
        message="Rather not",
    )
    assert subject_of(filing) == Subject(contract_id=CONTRACT, milestone_ids=(MILESTONE,))
