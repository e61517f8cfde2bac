"""The forms of actions: there is one for each action that `allowedActions` lists, and it asks for what the input takes."""

from __future__ import annotations

import re

from graphql import GraphQLInputObjectType, is_required_input_field

from escrow.rules import RULES, Action
from tests.api.console.modules import HOME, ours, text_of

COMMANDS = text_of(HOME / "core" / "commands.js")
BY_PROGRAM = {Action.PROPOSE}
"""What no form of a contract does: proposing is a page of its own, by the plan editor."""


def command(action: Action) -> str:
    found = re.search(rf"^  {action}: (\{{.*\}}),$", COMMANDS, re.MULTILINE)
    assert found, f"{action} has no form"
    return found[1]


def test_every_action_has_a_form_that_gives_its_own_mutation() -> None:
    for action in set(Action) - BY_PROGRAM:
        assert f'mutation: "{RULES[action].mutation}"' in command(action)


def test_each_form_names_what_it_acts_on_as_the_input_calls_it() -> None:
    for action in set(Action) - BY_PROGRAM:
        found = re.search(r'subject: "(\w+)"', command(action))
        assert found
        assert found[1] in input_of(action).fields


def test_whatever_moves_money_at_once_shows_its_preview_first() -> None:
    moving = {action for action, rule in RULES.items() if rule.moves_money} | {
        Action.FUND,
        Action.FUND_CONTRACT,
        Action.END,
        Action.REQUEST_PAYOUT,
    }
    assert not [action for action in moving if "movesMoney: true" not in command(action)]


def test_forms_fill_in_every_field_that_an_input_needs() -> None:
    lacking = {}
    for action in set(Action) - BY_PROGRAM - {Action.REVISE, Action.FILE_CHANGE_REQUEST}:
        needed = {name for name, field in input_of(action).fields.items() if is_required_input_field(field)}
        if missing := {name for name in needed if name not in words_of(command(action))}:
            lacking[action] = missing
    assert lacking == {}


def words_of(text: str) -> str:
    """A command's entry, with what the constants in it stand for."""
    constants = dict(re.findall(r"const (\w+) = ((?:.|\n)*?);\n", COMMANDS))
    constants |= dict(re.findall(r"function (\w+)\([^)]*\) (\{(?:.|\n)*?\n\})", COMMANDS))
    return text + " ".join(value for name, value in constants.items() if re.search(rf"\b{name}\b", text))


def input_of(action: Action) -> GraphQLInputObjectType:
    mutation = ours().mutation_type
    assert mutation is not None
    kind = mutation.fields[RULES[action].mutation].args["input"].type.of_type
    assert isinstance(kind, GraphQLInputObjectType)
    return kind
