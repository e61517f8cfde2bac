"""Nothing is left out: every transition names an event of the catalogue, every event is folded, described and read back,
every code has its class, every command its decision, and the largest input still makes an event below 16 KiB.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections import Counter
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, TypeGuard
from zoneinfo import available_timezones

import pytest

from escrow import codec, errors, log
from escrow.access import Actor, ActorKind
from escrow.agreement import commands, decisions, folds, postings, step
from escrow.agreement.deadlines import DeadlineKind
from escrow.agreement.decisions.holdings import RETURNS_MAX
from escrow.agreement.events import CATALOGUE, Event, MilestonePartlyReleased, Recorded
from escrow.agreement.inputs import ATTACHMENTS_MAX, DELIVERABLES_MAX, LINKS_MAX, WINDOW_BOUNDS
from escrow.agreement.state import CHANGES_MAX, MILESTONES_MAX, Windows
from escrow.errors import DomainError, ErrorCode, StaleChangeRequest
from escrow.ids import Kind
from escrow.money import Money
from escrow.rules import AUTOMATIC, RULES, Action, Rule
from escrow.states import ChangeRequestState, ContractState, DisputeState, MilestoneState, RefundState
from tests.escrow.agreement.stage import Story, folded, named
from tests.escrow.agreement.tour import STORIES

EVENT_BYTES_MAX: Final = 16 * 1024

LAWFUL_NAMES: Final = """
contract.proposed contract.revised contract.accepted contract.declined contract.withdrawn contract.expired
contract.completed contract.end_requested contract.end_withdrawn contract.ended contract.dormant
milestone.added milestone.edited milestone.amended milestone.moved milestone.removed milestone.cancelled milestone.funded
milestone.unfunded milestone.activated milestone.submitted milestone.changes_requested milestone.released
milestone.partly_released milestone.rolled_forward milestone.refunded milestone.partly_refunded milestone.settled
milestone.deadline_approaching
deposit.started deposit.action_required deposit.action_taken deposit.confirmed deposit.hold_ending deposit.failed
deposit.abandoned deposit.returned deposit.reversed deposit.reinstated
deposit.reversal_resolved bonus.started bonus.paid bonus.failed change_request.filed change_request.accepted
change_request.declined change_request.withdrawn change_request.stale refund.requested refund.accepted refund.declined
refund.request_withdrawn refund.paid refund.failed refund.overtaken dispute.opened dispute.evidence_added dispute.claim_accepted
dispute.rejected dispute.mediation_started dispute.settlement_offered dispute.settlement_withdrawn
dispute.withdrawal_agreed dispute.resolved dispute.withdrawn dispute.overdue update.posted payout.started payout.paid
payout.failed order.stuck order.resolved cost.booked
""".split()
"""docs/law.md, section 7, as far as the core goes."""

OUR_NAMES: Final = ["payouts.changed"]
"""Facts that the law has no name for."""

CLASSES: Final = sorted(CATALOGUE.values(), key=lambda event: (event.type, event.schema_version))
each_event = pytest.mark.parametrize("event_class", CLASSES, ids=lambda event: f"{event.type} {event.schema_version}")


NO_LONGER_WRITTEN: Final = {MilestonePartlyReleased}
"""Folded for ever, met in golden histories alone."""


def every_recorded_event() -> list[Recorded]:
    return [recorded for tell in STORIES.values() for recorded in tell().log]


def test_the_catalogue_has_the_laws_names_and_each_class_once() -> None:
    assert sorted(event.type for event in CLASSES) == sorted(LAWFUL_NAMES + OUR_NAMES)
    assert all(key == (event.type, event.schema_version) for key, event in CATALOGUE.items())
    defined = {one.__name__ for one in Event.__subclasses__() if one.__module__.startswith("escrow.agreement.")}
    assert defined == {event.__name__ for event in CLASSES}


def test_every_transition_names_an_event_of_the_catalogue_and_states_that_exist() -> None:
    types = {event.type for event in CLASSES}
    for action, rule in RULES.items():
        assert rule.action is action
        assert rule.event in types
    for change in AUTOMATIC:
        assert change.event in types
        states: type[StrEnum] = {
            "milestone": MilestoneState,
            "contract": ContractState,
            "refund request": RefundState,
            "dispute": DisputeState,
            "change request": ChangeRequestState,
        }[change.subject]
        assert change.source in list(states)
        assert change.to in list(states)


def test_the_stories_of_the_tour_meet_every_event() -> None:
    met = {type(recorded.event) for recorded in every_recorded_event()}
    assert met == set(CLASSES) - NO_LONGER_WRITTEN


@pytest.mark.parametrize("name", STORIES)
def test_no_step_of_a_story_was_refused_but_where_a_change_request_is_found_stale(name: str) -> None:
    refused: list[DomainError] = []
    original = Story.do

    def watched(self: Story, command: commands.Command, actor: Actor) -> step.Step:
        done = original(self, command, actor)
        if done.refusal is not None and not isinstance(done.refusal, StaleChangeRequest):
            refused.append(done.refusal)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Story, "do", watched)
        STORIES[name]()
    assert refused == []


@each_event
def test_every_event_is_folded(event_class: type[Event]) -> None:
    assert event_class.type == "contract.proposed" or event_class in folds.FOLDS


def test_nothing_is_folded_or_booked_that_is_not_in_the_catalogue() -> None:
    assert set(folds.FOLDS) <= set(CLASSES)
    assert set(postings._RULES) <= set(CLASSES)


@pytest.mark.parametrize("name", STORIES)
def test_a_log_read_back_from_json_gives_the_same_contract(name: str) -> None:
    story = STORIES[name]()
    read = [dataclasses.replace(recorded, event=through_json(recorded.event, erase=False)) for recorded in story.log]
    assert [one.event for one in read] == [one.event for one in story.log]
    assert folded(story.id, read) == story.state


@pytest.mark.parametrize("name", STORIES)
def test_a_log_without_its_words_gives_the_same_contract_but_for_the_words(name: str) -> None:
    story = STORIES[name]()
    read = [dataclasses.replace(recorded, event=through_json(recorded.event, erase=True)) for recorded in story.log]
    mute = folded(story.id, read)
    assert (mute.title, mute.description) == ("", "")
    assert all(one.title == "" and one.deliverables == () for one in mute.milestones)
    for field in ("state", "revision", "balances", "plan_version", "windows", "fees", "deposits", "written_by"):
        assert getattr(mute, field) == getattr(story.state, field)
    assert mute.milestones == tuple(
        dataclasses.replace(one, title="", purpose="", deliverables=()) for one in story.state.milestones
    )


def through_json(event: Event, *, erase: bool) -> Event:
    data, texts = json.loads(json.dumps(codec.encode(event)))
    words = dict.fromkeys(texts, codec.ERASED) if erase else texts
    return codec.decode(type(event), data, words)


@each_event
def test_every_payload_schema_describes_what_is_written_and_nothing_else(event_class: type[Event]) -> None:
    schema = codec.payload_schema(event_class)
    json.dumps(schema)
    written = [one.event for one in every_recorded_event() if type(one.event) is event_class]
    assert bool(written) == (event_class not in NO_LONGER_WRITTEN)
    for event in [*written, largest(event_class)]:
        data, texts = codec.encode(event)
        stored = data | ({"texts": dict.fromkeys(texts, "0" * 64)} if texts else {})
        conforms(stored, schema, event_class.type)
        with pytest.raises(AssertionError):
            conforms(stored | {"surprise": 1}, schema, "")


def conforms(value: Any, schema: dict[str, Any], place: str) -> None:
    """Whether a value is as the few words of JSON Schema say that our schemas use."""
    known = {"type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "format"}
    known |= {"title", "description"}
    assert set(schema) <= known, place
    python: type = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[schema["type"]]
    assert isinstance(value, python), place
    assert "enum" not in schema or value in schema["enum"], place
    assert "pattern" not in schema or re.search(schema["pattern"], str(value)), place
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), place
        assert schema["additionalProperties"] is False, place
        for key, part in value.items():
            conforms(part, schema["properties"][key], f"{place}.{key}")
    if isinstance(value, list):
        for part in value:
            conforms(part, schema["items"], f"{place}[]")


def test_every_error_code_has_exactly_one_class_and_its_line_in_the_tree() -> None:
    classes = DomainError.__subclasses__()
    assert Counter(one.code for one in classes) == Counter(ErrorCode)
    assert errors.__doc__ is not None
    for one in classes:
        assert re.search(rf"── {one.__name__} +{one.code.value} ", errors.__doc__)


def test_every_command_of_a_party_has_an_action_of_its_own_and_every_command_a_decision() -> None:
    assert set(commands.PARTY_COMMANDS) == set(Action)
    given = [one.action for one in vars(commands).values() if _is_a_party_command(one)]
    assert Counter(given) == Counter(Action)
    assert set(decisions.DECISIONS) == {*commands.PARTY_COMMANDS.values(), *commands.REPORTS}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_command_and_the_decision_of_an_action_stand_in_the_files_of_its_noun(rule: Rule) -> None:
    command = commands.PARTY_COMMANDS[rule.action]
    decision: Any = decisions.DECISIONS[command]
    assert command.__module__ == f"escrow.agreement.commands.{rule.noun}"
    assert (decision.__module__, decision.__name__) == (
        f"escrow.agreement.decisions.{rule.noun}",
        rule.action.value.lower(),
    )


@each_event
def test_an_event_is_folded_in_the_file_of_its_noun(event_class: type[Event]) -> None:
    noun = event_class.__module__.rpartition(".")[2]
    folded_there = getattr(folds, noun).FOLDS
    assert event_class in folded_there or event_class.type == "contract.proposed"


def _is_a_party_command(one: object) -> TypeGuard[type[commands.PartyCommand]]:
    return isinstance(one, type) and issubclass(one, commands.PartyCommand) and one is not commands.PartyCommand


def test_every_clock_does_something_when_it_rings() -> None:
    assert set(step._RINGS) == set(DeadlineKind)


def test_every_window_has_bounds_around_its_default() -> None:
    for field in dataclasses.fields(Windows):
        least, most = WINDOW_BOUNDS[field.name]
        assert least <= getattr(Windows(), field.name) <= most
    assert set(WINDOW_BOUNDS) == {field.name for field in dataclasses.fields(Windows)}


@each_event
def test_the_largest_input_still_makes_an_event_below_sixteen_kibibytes(event_class: type[Event]) -> None:
    actor = Actor(
        ActorKind.ACCOUNT,
        account_id=named(Kind.ACCOUNT, 1),
        key_id=named(Kind.KEY, 1),
        member_id=named(Kind.MEMBER, 1),
    )
    recorded = Recorded(largest(event_class), datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), actor)
    (sealed,) = log.seal(named(Kind.CONTRACT, 1), version=2**53 - 2, last_hash="f" * 64, recorded=[recorded])
    assert len(sealed.body.encode()) <= EVENT_BYTES_MAX


def largest(event_class: type[Any]) -> Any:
    """An event or a part of one with the longest value that the rules let into each field.

    People's words may be as long as they like here: what enters the event is their hash, whatever their length.
    """
    if event_class not in _largest:
        hints = typing.get_type_hints(event_class)
        fields = dataclasses.fields(event_class)
        _largest[event_class] = event_class(**{field.name: longest(field.name, hints[field.name]) for field in fields})
    return _largest[event_class]


_largest: Final[dict[type[Any], Any]] = {}
"""As far as they were asked for: hundreds of tests begin with them."""


def longest(name: str, hint: Any) -> Any:
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    if type(None) in typing.get_args(hint):
        (hint,) = options
    if typing.get_origin(hint) is tuple:
        return tuple(longest(name, typing.get_args(hint)[0]) for _ in range(LONGEST_LISTS.get(name, MILESTONES_MAX)))
    if hint is str:
        return LONGEST_TEXTS.get(name, named(Kind.MILESTONE, 1))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return max(hint, key=len)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint is not Money:
        return largest(hint)
    return LONGEST_VALUES[hint]


LONGEST_VALUES: Final[dict[Any, Any]] = {
    int: 2**53 - 1,
    bool: False,
    date: date(9998, 12, 31),
    datetime: datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    Money: Money(-(10**18), "BHD"),
}
LONGEST_LISTS: Final = {
    "returns": RETURNS_MAX,
    "changes": CHANGES_MAX,
    "words": CHANGES_MAX,
    "deliverables": DELIVERABLES_MAX,
    "links": LINKS_MAX,
    "attachments": ATTACHMENTS_MAX,
}
WORDS: Final = "title description message purpose deliverables links note explanation payment_token name".split()
LONGEST_TEXTS: Final[dict[str, str]] = {
    "currency": "BHD",
    "time_zone": max(available_timezones(), key=len),
    "sha256": "f" * 64,
    **dict.fromkeys(WORDS, "\U0010ffff" * 10_000),
}
