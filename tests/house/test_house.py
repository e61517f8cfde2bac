"""The house keeps its names: one noun, one file name on every floor; one name, one thing; and its figures keep their goals."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from escrow.accounts import commands as account_commands
from escrow.accounts.decisions import DECISIONS as ACCOUNT_DECISIONS
from escrow.accounts.events import CATALOGUE as ACCOUNT_EVENTS
from escrow.accounts.folds import FOLDS as ACCOUNT_FOLDS
from escrow.agreement import commands
from escrow.agreement.decisions import DECISIONS
from escrow.agreement.events import CATALOGUE
from escrow.agreement.folds import FOLDS
from schema.mutations import every
from schema.mutations.running import COMMAND
from tests.house import layout, measures, touched


def test_a_name_that_occurs_twice_stands_for_one_thing_that_is_written_down() -> None:
    twice = {name for name, count in measures.stems().items() if count > 1}
    assert twice == set(layout.meanings())


@pytest.mark.parametrize("floor", layout.FLOORS)
def test_a_floor_has_nouns_and_what_its_nouns_share(floor: str) -> None:
    files = {path.stem for path in Path(measures.ROOT, floor).glob("*.py")} - {"__init__"}
    assert files <= {*layout.NOUNS, *layout.FLOORS[floor]}
    assert set(layout.FLOORS[floor]) <= files


def test_what_comes_of_a_command_stands_in_a_file_of_the_same_name() -> None:
    for command, decision in [*DECISIONS.items(), *ACCOUNT_DECISIONS.items()]:
        assert _stem(command) == _stem(decision), command


def test_an_event_is_folded_in_a_file_of_the_same_name() -> None:
    classes = [*CATALOGUE.values(), *ACCOUNT_EVENTS.values()]
    for one in classes:
        fold = {**FOLDS, **ACCOUNT_FOLDS}.get(one)
        # A first event starts from nothing, and a fold that many share stands where it is made.
        if fold is not None and fold.__module__.endswith((".base", ".orders")):
            continue
        assert fold is None or _stem(one) == _stem(fold), one


def test_a_mutation_stands_in_a_file_of_the_same_name_as_its_command() -> None:
    for field in every.ON_CONTRACTS:
        asked = field.metadata[COMMAND]
        command = inspect.signature(asked.command_of).return_annotation
        assert _stem(asked.command_of) == _stem(getattr(commands, command.rpartition(".")[2])), field.python_name


def test_a_class_of_one_name_stands_in_files_of_one_name() -> None:
    """A thing of the domain as state, as a table and as a GraphQL type."""
    homes: dict[str, set[str]] = {}
    for floor in ("escrow/agreement/state", "escrow/accounts/state", "escrow/models", "schema/types"):
        for path in Path(measures.ROOT, floor).glob("*.py"):
            for name in measures.classes_of(path.relative_to(measures.ROOT)):
                homes.setdefault(name, set()).add(path.stem)
    assert {name: stems for name, stems in homes.items() if len(stems) > 1} == {}


def _stem(thing: object) -> str:
    module = inspect.getmodule(thing)
    assert isinstance(module, ModuleType)
    return module.__name__.rpartition(".")[2]


def test_every_command_on_an_account_has_a_decision() -> None:
    given = {one for one in vars(account_commands).values() if inspect.isclass(one) and "action" in vars(one)}
    assert given == set(ACCOUNT_DECISIONS)


def test_no_file_has_grown_too_long_and_most_are_short() -> None:
    lines = measures.lines()
    assert max(lines.values()) <= measures.LINES_MAX
    assert measures.middle(lines.values()) < measures.LINES_MEDIAN


def test_a_field_and_an_action_stand_in_few_files() -> None:
    assert touched.by_a_field() <= touched.FIELD_MAX
    assert touched.by_an_action() <= touched.ACTION_MAX


def test_most_functions_are_short() -> None:
    assert measures.middle(measures.function_lines()) <= measures.FUNCTION_LINES_MEDIAN


def test_files_import_each_other_in_circles_only_where_graphql_types_do() -> None:
    found = measures.circles(measures.imports())
    assert len(found) <= measures.CIRCLES_MAX
    assert all(module.startswith("schema.types.") for circle in found for module in circle)


def test_a_circle_is_found() -> None:
    arrows = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["e"], "e": [], "f": ["a"]}
    assert measures.circles(arrows) == [["a", "b", "c"]]
    assert measures.circles({"a": ["b"], "b": []}) == []
