"""The schema is the manual: a description on everything, and a snapshot that tells when it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import cast

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

from earnest.cli import main
from escrow.codec import camel
from escrow.errors import ErrorCode
from escrow.rules import RULES, Action, Rule
from schema.build import SNAPSHOT, executable, schema, sdl
from schema.mutations.every import fields_of
from schema.mutations.running import COMMAND
from schema.types.standing import ON_CONTRACTS, ON_MILESTONES, ON_OBJECTS

SAID_BY_EVENT = cast("GraphQLInterfaceType", executable().type_map["Event"]).fields
"""Fields that the interface describes, and not each of its ninety types again."""


def _described() -> Iterator[tuple[str, str | None]]:
    """Everything in the schema that has a description of its own, with it."""
    for directive in executable().directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            yield from ((f"@{directive.name}({name})", one.description) for name, one in directive.args.items())
    for name, type_ in executable().type_map.items():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value}", one.description) for value, one in type_.values.items())
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                if field_name in SAID_BY_EVENT and any(one.name == "Event" for one in type_.interfaces):
                    continue
                yield f"{name}.{field_name}", field.description
                for argument, one in field.args.items():
                    yield f"{name}.{field_name}({argument})", one.description
        elif isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{field_name}", one.description) for field_name, one in type_.fields.items())


def test_everything_has_a_description_that_is_a_sentence() -> None:
    places = list(_described())
    assert len(places) > 500
    assert [place for place, text in places if not text or not text.strip()] == []
    assert [place for place, text in places if text and not text.rstrip().endswith((".", "`"))] == []


def test_nothing_is_called_by_another_name_than_it_has_here() -> None:
    assert [place for place, text in _described() if re.search("`[a-z]+(_[a-z]+)+`", text or "")] == []


@pytest.fixture(autouse=True)
def logging_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in this process must not take over the log of the tests."""
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)


def test_the_snapshot_is_what_the_code_says() -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == sdl(), "if the change is meant: earnest schema --write"


def test_the_command_line_prints_and_compares(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == sdl()
    assert main(["schema", "--check"]) == 0


def test_a_changed_snapshot_is_shown_and_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path_factory.mktemp("schema") / "schema.graphql"
    other.write_text(sdl().replace("type Money", "type Cash"), encoding="utf-8")
    monkeypatch.setattr("schema.build.SNAPSHOT", other)
    assert main(["schema", "--check"]) == 1
    assert "-type Cash {" in capsys.readouterr().err
    assert main(["schema", "--write"]) == 0
    assert other.read_text(encoding="utf-8") == sdl()


def test_every_mutation_takes_one_input_and_tells_its_refusals() -> None:
    mutation = executable().mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ["input"], name
        assert get_named_type(field.args["input"].type).name == f"{name[0].upper()}{name[1:]}Input"
        payload = get_named_type(field.type)
        assert isinstance(field.type, GraphQLNonNull)
        assert isinstance(payload, GraphQLObjectType)
        assert str(payload.fields["userErrors"].type) == "[UserError!]!"
        nullable = [one for name, one in payload.fields.items() if name != "userErrors"]
        assert not any(isinstance(one.type, GraphQLNonNull) for one in nullable), name


def test_every_action_is_a_mutation_that_its_description_names() -> None:
    mutation, action = executable().mutation_type, executable().type_map["Action"]
    assert mutation is not None
    assert isinstance(action, GraphQLEnumType)
    for name, value in action.values.items():
        assert (value.description or "").partition("`")[2].partition("`")[0] in mutation.fields, name


def test_every_action_of_the_table_is_offered_once() -> None:
    offered = [Action.PROPOSE, *ON_CONTRACTS, *ON_MILESTONES, *chain.from_iterable(ON_OBJECTS.values())]
    assert sorted(offered) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_mutation_of_an_action_stands_in_the_file_of_its_noun(rule: Rule) -> None:
    fields = fields_of(import_module(f"schema.mutations.{rule.noun}"))
    (mutation,) = [field for field in fields if camel(field.python_name) == rule.mutation]
    assert mutation.metadata[COMMAND].command_of.__module__ == f"schema.mutations.{rule.noun}"


def test_every_error_code_is_in_the_schema() -> None:
    codes = executable().type_map["ErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == {code.value for code in ErrorCode}


def test_no_extension_wraps_every_field() -> None:
    assert schema().get_extensions() == []


def test_the_names_that_the_outside_relies_on_are_there() -> None:
    query, mutation, contract = executable().query_type, executable().mutation_type, executable().type_map["Contract"]
    assert query is not None
    assert mutation is not None
    assert isinstance(contract, GraphQLObjectType)
    assert {
        "viewer",
        "node",
        "nodes",
        "contract",
        "contracts",
        "milestone",
        "milestones",
        "splitBudget",
        "reviewPlan",
        "preview",
    } <= set(query.fields)
    assert {
        "proposeContract", "reviseContract", "acceptContract", "declineContract", "withdrawContract", "addMilestone",
        "editMilestone", "moveMilestone", "removeMilestone", "fundMilestone", "cancelFunding", "submitMilestone",
        "approveMilestone", "requestChanges", "requestPayout", "createAccount", "disableAccount", "enableAccount",
        "appointMediator", "dismissMediator", "setRate", "connectPayee", "addMember", "removeMember", "createApiKey",
        "revokeApiKey", "endContract",
        "withdrawEnd", "fundContract", "fileChangeRequest", "acceptChangeRequest", "declineChangeRequest",
        "withdrawChangeRequest", "requestRefund", "withdrawRefund", "acceptRefund", "declineRefund", "giveRefund",
        "openDispute", "addEvidence", "acceptClaim", "rejectClaim", "offerSettlement", "withdrawSettlement",
        "acceptSettlement", "withdrawDispute", "decideDispute", "resolveReversal", "postUpdate",
    } <= set(mutation.fields)  # fmt: skip
    assert {
        "milestones", "currentMilestone", "progress", "escrow", "transfers", "timeline", "nextDeadline", "allowedActions",
        "planVersion", "version", "changeRequests", "disputes", "refundRequests", "updates", "ending",
    } <= set(contract.fields)  # fmt: skip
