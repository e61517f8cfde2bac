"""The catalogues of texts: each language has all, with the same values in each, and every word of the domain has one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import escrow
import webhooks
from escrow.access import Role, Scope
from escrow.agreement import events
from escrow.agreement.advice import HintCode
from escrow.causes import Cause
from escrow.errors import ErrorCode
from escrow.rules import Action
from escrow.states import ContractState, DisputeState, Hold, MilestoneState
from tests.api.console.modules import LANGUAGES, catalogue, modules, text_of

ENGLISH = catalogue("en")
PAGES = catalogue("pages/en")
"""What pages alone say: what is wrong with what was written on one of them for an account, a key or an endpoint is said there."""


def values(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("folder", ["", "pages/"])
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_every_text_with_the_same_values(folder: str, language: str) -> None:
    texts, english = catalogue(f"{folder}{language}"), catalogue(f"{folder}en")
    assert texts.keys() == english.keys()
    assert {key: values(text) for key, text in texts.items()} == {key: values(text) for key, text in english.items()}
    assert not [key for key, text in texts.items() if not text.strip()]


def test_every_text_that_a_module_names_exists() -> None:
    said = {key for path in modules() for key in re.findall(r'\.say\(\s*"([\w.]+)"', text_of(path))}
    assert len(said) > 70
    assert said - ENGLISH.keys() == set()


def test_every_action_state_event_and_refusal_has_its_words() -> None:
    expected = {
        *(f"action.{action}" for action in Action),
        *(f"error.{code.name}" for code in ErrorCode),
        *(f"contract.{state}" for state in ContractState),
        *(f"milestone.{state}" for state in MilestoneState),
        *(f"dispute.{state}" for state in DisputeState),
        *(f"hold.{hold}" for hold in Hold if hold is not Hold.NONE),
        *(f"event.{name}" for name in event_types()),
        *(f"cause.{cause}" for cause in Cause),
        *(f"hint.{code}" for code in HintCode),
        *(f"role.{role.name}" for role in Role),
        *(f"scope.{scope.name}" for scope in Scope),
    }
    assert expected - ENGLISH.keys() - PAGES.keys() == set()


def test_what_is_no_cause_any_more_has_no_words() -> None:
    assert sorted(key.removeprefix("cause.") for key in [*ENGLISH, *PAGES] if key.startswith("cause.")) == sorted(Cause)


def test_sentences_have_no_values_but_those_that_their_refusals_tell() -> None:
    told = {cause: {f"{{{value}}}" for value in cause.values} for cause in Cause}
    said = {cause: (ENGLISH | PAGES)[f"cause.{cause}"] for cause in Cause}
    assert {cause: set(values(said[cause])) - told[cause] for cause in Cause if told[cause]} == {
        cause: set() for cause in Cause if told[cause]
    }
    assert not [cause for cause in Cause if not told[cause] and values(said[cause])]


def event_types() -> set[str]:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    return {kind.type for kind in kinds if kind is not events.Event}


UNREACHABLE = {
    # What a person can't send from a form of the console: a program can.
    "Only the freelancer gives something up by ending the contract.",
    "There is no window ….",
    "Name the revision that the deposit is for; the proposal may change.",
    "A deposit is reported by its own command.",
    "A confirmed sum is more than zero and at most … minor units.",
    # Who the parties are was chosen on a page before, and the currency stands there.
    "The operator's account can't be a party.",
    "A freelancer is an individual or an agency.",
    "A contract keeps its currency, ….",
    # Only a program splits by ratios of its own.
    "Ratios must be positive whole numbers, at least one.",
    # A deployment's provider and its limits, which the operator set.
    "The payment provider takes no ….",
    (
        "The payment provider may hold money for … hours. Review (…), the longer answer (…) and mediation (…) take … "
        "together: agree on at most …."
    ),
}


def test_whatever_is_wrong_with_what_was_written_for_a_contract_has_its_sentence() -> None:
    places = [*(SOURCE / "agreement").rglob("*.py"), SOURCE / "money.py"]
    without = {said for path in places for said in _without_a_cause(path) if path.name not in OF_PROGRAMS}
    assert without == UNREACHABLE


def test_whatever_is_wrong_with_what_was_written_for_an_account_has_its_sentence() -> None:
    places = [SOURCE / "accounts" / "inputs.py", Path(webhooks.__file__).parent / "owner" / "operations.py"]
    assert {said for path in places for said in _without_a_cause(path)} == OF_A_PROGRAM


OF_A_PROGRAM = {
    # A program alone gives times, identifiers, versions, and says from where on something is sent again.
    "A time needs its offset from UTC, such as Z.",
    "An identifier of this kind looks like “…_…”.",
    "There is no API version …; there is ….",
    "A replay begins after a cursor or at a time: give one of `after` and `since`.",
}

SOURCE = Path(escrow.__file__).parent
OF_PROGRAMS = {"costs.py"}
"""What a provider and its reports say."""


def _without_a_cause(path: Path) -> Iterator[str]:
    """The messages of all refusals of a value in a module that don't name their cause."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="InvalidInput"), args=[message, *_], keywords=named):
                if not any(one.arg == "cause" for one in named):
                    yield _told(message)


def _told(message: ast.expr) -> str:
    """A message as it stands in the code, with “…” for what is put in."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
