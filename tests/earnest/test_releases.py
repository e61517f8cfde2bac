"""What a release promised: which changes break it, and how one is declared."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema

from earnest.commands import schema
from earnest.generate import releases
from escrow.release import RELEASE, VERSION
from schema import error_codes
from schema.build import sdl
from tests.upgrade import former
from webhooks.events import catalogue

ROOT = Path(__file__).parents[2]

SDL = """
type Query { contract(id: ID!, first: Int = 20, filter: Filter): Contract }
input Filter { open: Boolean! = true, by: ID }
type Contract { id: ID!, title: String, state: State! }
enum State { OPEN CLOSED }
scalar Day @specifiedBy(url: "https://days.test/one")
"""

EVENTS: dict[str, Any] = {
    "$defs": {
        "State": {"type": "string", "enum": ["OPEN", "CLOSED"]},
        "MadeData": {
            "type": "object",
            "description": "What it tells.",
            "properties": {"title": {"type": "string", "description": "Its name."}, "state": {"$ref": "#/$defs/State"}},
            "required": ["title"],
        },
        "MadeContent": {"type": "object", "properties": {"event": {"$ref": "#/$defs/Made"}}, "required": ["event"]},
        "EventBody": {
            "oneOf": [{"$ref": "#/$defs/MadeBody"}],
            "discriminator": {"propertyName": "type", "mapping": {"made": "#/$defs/MadeBody"}},
        },
    }
}


ERRORS: dict[str, Any] = {"codes": ["LATE", "NOT_FOUND"], "causes": {"ROLE": ["role"], "TWICE": []}}

EVENT_CHANGED = "MadeContent.event changed its type."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release, and nothing declared."""
    releases.write(SDL, EVENTS, ERRORS, tmp_path)
    return tmp_path


def test_what_the_code_says_breaks_nothing_of_the_last_release() -> None:
    assert releases.broken_in_schema(sdl()) == []
    assert releases.broken_where_money_is_real(sdl(sandbox=False)) == []
    assert releases.broken_in_events(catalogue.schema_document()) == []
    assert releases.broken_in_errors(error_codes.named()) == []


def test_everything_that_is_packed_says_which_release_this_is() -> None:
    for project in (ROOT, ROOT / "clients" / "python"):
        assert tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == VERSION
    package, lock = (
        json.loads((ROOT / "clients" / "typescript" / name).read_text(encoding="utf-8"))
        for name in ("package.json", "package-lock.json")
    )
    spelt = VERSION.replace(".dev", "-dev.")  # npm has a spelling of its own for what isn't out yet
    assert [package["version"], lock["version"], lock["packages"][""]["version"]] == [spelt] * 3


def test_what_was_released_stands_in_the_changelog_and_what_was_not_has_no_number_of_it() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Unreleased", *(kept.name for kept in reversed(releases.every()))]
    is_out = releases.last().name == RELEASE
    assert is_out == (VERSION == RELEASE), f"{VERSION}, and the last release is {releases.last().name}"


def test_one_upgrades_from_the_release_before_this_one() -> None:
    assert former.release() == [kept.name for kept in releases.every() if kept.name != RELEASE][-1]


def test_releases_are_ordered_by_their_numbers(folder: Path) -> None:
    for number in ("1.9.0", "1.10.0"):
        (folder / number).mkdir()
    assert releases.last(folder).name == "1.10.0"


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("title: String, ", "", "removed"),
        ("title: String", "title: Int", "changed type"),
        ("state: State!", "state: State", "changed type"),
        (" CLOSED", "", "removed"),
        ("first: Int = 20", "first: Int = 50", "default"),
        ("id: ID!, first", "id: ID!, by: ID!, first", "added"),
        (", first: Int = 20", "", "removed"),
        ("open: Boolean! = true", "open: Boolean! = false", "default"),
        ("open: Boolean! = true", "open: Boolean!", "default"),
        ("input Filter { open: Boolean! = true", "input Filter @oneOf { open: Boolean", "exactly one"),
        ("type Query {", "schema { query: Other } type Other { now: String } type Query {", "A query begins no more"),
        (
            '@specifiedBy(url: "https://days.test/one")',
            '@specifiedBy(url: "https://days.test/two")',
            "specified otherwise",
        ),
        ('@specifiedBy(url: "https://days.test/one")', "", "specified otherwise"),
    ],
)
def test_a_change_of_the_schema_that_breaks_a_client_is_found(folder: Path, was: str, now: str, said: str) -> None:
    found = releases.broken_in_schema(SDL.replace(was, now), folder)
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("CLOSED", "CLOSED PAUSED"),
        ("title: String", "title: String!"),
        ("first: Int = 20", "first: Int = 20, after: ID"),
        ("type Query {", 'type Query { "A word." now: String'),
        ("enum State", "scalar Time type Mutation { go: Time } enum State"),
    ],
)
def test_what_a_schema_gains_breaks_nothing(folder: Path, was: str, now: str) -> None:
    assert releases.broken_in_schema(SDL.replace(was, now), folder) == []


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('"State": {', '"Status": {', ["State was removed."]),
        ('"title": {"type"', '"name": {"type"', ["MadeData.title was removed."]),
        ('{"type": "string", "description"', '{"type": "integer", "description"', ["MadeData.title changed its type."]),
        ('["OPEN", "CLOSED"]', '["OPEN"]', ["State changed its type."]),
        ('"required": ["title"]', '"required": []', ["MadeData.title may be missing now."]),
        ('["title"]', '["title", "state"]', ["MadeData.state is required now, and events of before lack it."]),
        ('{"$ref": "#/$defs/Made"}', '{"anyOf": [{"$ref": "#/$defs/Made"}, {"type": "null"}]}', [EVENT_CHANGED]),
        ('{"made": "#/$defs/MadeBody"}', '{"told": "#/$defs/ToldBody"}', ["EventBody changed its type."]),
    ],
)
def test_a_change_of_events_that_misleads_a_receiver_is_found(
    folder: Path, was: str, now: str, said: list[str]
) -> None:
    changed = json.dumps(EVENTS).replace(was, now)
    assert releases.broken_in_events(json.loads(changed), folder) == said


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('["OPEN", "CLOSED"]', '["OPEN", "CLOSED", "PAUSED"]'),
        ('"properties": {"title"', '"properties": {"colour": {"type": "string"}, "title"'),
        ('"Its name."', '"How it is called."'),
        ('{"$ref": "#/$defs/Made"}', '{"anyOf": [{"$ref": "#/$defs/Made"}, {"$ref": "#/$defs/Made2"}]}'),
        ('"$defs": {', '"$defs": {"Other": {"type": "object"}, '),
        ('"made": "#/$defs/MadeBody"', '"made": "#/$defs/MadeBody", "told": "#/$defs/ToldBody"'),
    ],
)
def test_what_events_gain_misleads_nobody(folder: Path, was: str, now: str) -> None:
    assert was in json.dumps(EVENTS)
    assert releases.broken_in_events(json.loads(json.dumps(EVENTS).replace(was, now)), folder) == []


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"codes": ["NOT_FOUND"]}, ["The error code LATE was removed."]),
        ({"causes": {"ROLE": ["role"]}}, ["The cause TWICE was removed."]),
        ({"causes": {"ROLE": [], "TWICE": []}}, ["The cause ROLE has no role any more."]),
        ({"codes": ["EARLY", "LATE", "NOT_FOUND"], "causes": {"NEW": [], "ROLE": ["role", "side"], "TWICE": []}}, []),
    ],
)
def test_an_error_that_programs_go_by_is_missed_when_it_is_gone(
    folder: Path, errors: dict[str, Any], said: list[str]
) -> None:
    assert releases.broken_in_errors(ERRORS | errors, folder) == said


def test_a_break_that_is_declared_with_a_reason_and_a_date_passes(folder: Path) -> None:
    changed = SDL.replace("title: String, ", "")
    (found,) = releases.broken_in_schema(changed, folder)
    declaration = f'[[break]]\nwhat = "{found}"\nreason = "Nobody read it."\n'
    (folder / releases.BREAKS).write_text(declaration)
    with pytest.raises(ValueError, match="the date `on`"):
        releases.broken_in_schema(changed, folder)
    (folder / releases.BREAKS).write_text(declaration + "on = 2026-12-01\n")
    assert releases.broken_in_schema(changed, folder) == []


def test_what_goes_only_where_money_is_real_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = sdl(sandbox=False).replace("editMilestone(", "reviseMilestone(")
    monkeypatch.setattr("schema.build.sdl", lambda *, sandbox=True: sdl() if sandbox else real)
    assert schema.run(argparse.Namespace(release=False, write=False, check=True)) == 1
    assert "Field Mutation.editMilestone was removed." in capsys.readouterr().err.splitlines()


DEPRECATED = re.compile(r"\. Since (\d+\.\d+\.\d+), removed not before (\d{4}-\d{2}-\d{2})\.$")


def test_what_is_deprecated_says_since_when_and_stays_for_a_year_at_least() -> None:
    reasons = set(re.findall(r'@deprecated(?:\(reason: "([^"]*)"\))?', sdl()))
    assert reasons, "nothing is deprecated, so this test says nothing"
    for reason in reasons:
        assert _stays_long_enough(reason), reason


def test_what_a_release_that_is_not_out_yet_deprecates_has_its_date_read_when_that_is_known() -> None:
    assert _stays_long_enough(f"Nobody reads it. Since {RELEASE}, removed not before 9999-12-01.")
    assert _stays_long_enough(f"Nobody reads it. Since {RELEASE}, removed not before 2026-12-01.") == (
        VERSION != RELEASE
    )
    assert not _stays_long_enough("Nobody reads it. Since 1.0.0, removed not before 2027-11-01.")
    assert not _stays_long_enough("Nobody reads it.")


def _stays_long_enough(reason: str) -> bool:
    """Whether a deprecation says so, as far as the release that it came with is out and has a date."""
    found = DEPRECATED.search(reason)
    if found is None:
        return False
    is_out = found[1] != RELEASE or VERSION == RELEASE
    return not is_out or date.fromisoformat(found[2]) - _released(found[1]) >= timedelta(days=365)


def _released(version: str) -> date:
    """When a release came, as the changelog says."""
    heading = re.compile(rf"^## {re.escape(version)} – (\S+)$", re.MULTILINE)
    found = heading.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert found is not None, f"the changelog has no heading of {version} with its date"
    return date.fromisoformat(found[1])


def test_each_release_that_was_kept_can_be_read() -> None:
    for kept in releases.every():
        assert build_schema((kept / releases.SDL).read_text(encoding="utf-8")).query_type is not None
        assert json.loads((kept / releases.EVENTS).read_text(encoding="utf-8"))["$defs"]
        assert json.loads((kept / releases.ERRORS).read_text(encoding="utf-8"))["codes"]
