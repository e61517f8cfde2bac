"""The catalogues of texts: each language has all, with the same values in each, and every word of the domain has one."""

from __future__ import annotations

import re

import pytest

from escrow.agreement import events
from escrow.errors import ErrorCode
from escrow.rules import Action
from escrow.states import ContractState, DisputeState, Hold, MilestoneState
from tests.api.console.modules import LANGUAGES, catalogue, modules, text_of

ENGLISH = catalogue("en")


def values(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_every_text_with_the_same_values(language: str) -> None:
    texts = catalogue(language)
    assert texts.keys() == ENGLISH.keys()
    assert {key: values(text) for key, text in texts.items()} == {key: values(text) for key, text in ENGLISH.items()}
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
    }
    assert expected - ENGLISH.keys() == set()


def event_types() -> set[str]:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    return {kind.type for kind in kinds if kind is not events.Event}
