"""Importing a plan: rows that are known change, rows that are new are added, one that is wrong stops them all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from escrow.agreement.decisions.imports import ROWS_MAX
from escrow.agreement.events import MilestoneAdded, MilestoneEdited
from escrow.errors import DomainError
from escrow.money import RawMoney
from tests.escrow.agreement.stage import Story, active, usd


def refusals(story: Story) -> list[tuple[str, str | None, object]]:
    """Code, field and row of everything that the last command was refused for."""
    assert story.last is not None
    refusal = story.last.refusal
    assert isinstance(refusal, DomainError)
    return [(one.code.value, one.field, one.details.get("row")) for one in (refusal, *refusal.others)]


def test_known_rows_change_in_their_places_and_new_ones_follow_in_the_order_of_the_rows() -> None:
    story = active("1.00", "2.00")
    new = [story.row(f"EA-{number}", title=f"New {number}") for number in (7, 3, 5)]
    known = story.row("EA-1", story.milestone(2).id, title="Other", amount=usd("9.00"))
    story.import_(new[0], known, *new[1:], message="From the board")
    assert story.code() is None
    assert [one.title for one in story.state.milestones] == ["A page", "Other", "New 7", "New 3", "New 5"]
    assert story.milestone(2).amount_minor == 900
    events = [recorded.event for recorded in story.log[-4:]]
    assert [type(event) for event in events] == [MilestoneAdded, MilestoneEdited, MilestoneAdded, MilestoneAdded]
    assert [getattr(event, "message") for event in events] == ["From the board", None, None, None]  # noqa: B009


def test_an_import_raises_the_plans_version_once_and_may_name_the_one_it_is_based_on() -> None:
    story = active("1.00")
    before = story.state.plan_version
    story.import_(story.row("a"), story.row("b"), expected_version=before)
    assert (story.code(), story.state.plan_version) == (None, before + 1)
    story.import_(story.row("c"), expected_version=before)
    assert (story.code(), len(story.state.milestones)) == ("VERSION_CONFLICT", 3)


def test_what_is_so_already_changes_nothing_also_of_a_locked_milestone() -> None:
    story = active("1.00", "2.00").pay()
    same = [story.row(f"EA-{place}", story.milestone(place).id, title="A page") for place in (1, 2)]
    version = story.state.plan_version
    story.import_(*same, message="Nobody hears this")
    assert (story.code(), story.happened(), story.state.plan_version) == (None, [], version)


def test_each_row_at_fault_is_named_and_nothing_of_the_others_is_done() -> None:
    story = active("1.00", "2.00").pay()
    before = story.state
    story.import_(
        story.row("fine"),
        story.row("no title", title=None),
        story.row("locked", story.milestone(1).id, amount=usd("5.00")),
        story.row("too exact", amount=RawMoney(Decimal("1.001"), "USD")),
        story.row("euros", amount=RawMoney(Decimal("1.00"), "EUR")),
        story.row("fine"),
        story.row("elsewhere", taken_by="mil_x"),
        story.row("locked and wrong", story.milestone(1).id, title=" "),
        story.row(" spaces "),
        story.row("no address", url="ftp://x"),
    )
    assert refusals(story) == [
        ("MILESTONE_LOCKED", "rows.2", 2),
        ("INVALID_STATE", "rows.6.externalId", 6),
        ("MILESTONE_LOCKED", "rows.7", 7),
        ("INVALID_INPUT", "rows.1.title", 1),
        ("INVALID_INPUT", "rows.3.amount.amount", 3),
        ("INVALID_INPUT", "rows.4.amount.currency", 4),
        ("INVALID_INPUT", "rows.5.externalId", 5),
        ("INVALID_INPUT", "rows.8.externalId", 8),
        ("INVALID_INPUT", "rows.9.url", 9),
    ]
    assert story.state is before


def test_an_import_has_bounds() -> None:
    story = active("1.00")
    assert story.import_().code() == "INVALID_INPUT"
    rows = [story.row(f"EA-{number}") for number in range(ROWS_MAX + 1)]
    assert story.import_(*rows).code() == "INVALID_INPUT"
    story.import_(*rows[:-1])
    assert refusals(story) == [("INVALID_INPUT", f"rows.{ROWS_MAX - 1}", ROWS_MAX - 1)]
    assert story.import_(*rows[:-2]).code() is None
    assert len(story.state.milestones) == 200
    for system in ("", "My Tool", "x" * 51, "jira\n"):
        assert story.import_(replace(rows[0], external_id="x"), system=system).code() == "INVALID_INPUT"
