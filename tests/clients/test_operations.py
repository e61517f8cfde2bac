"""The operations that both clients offer fit the schema, cover the whole job, and can be repeated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLInputObjectType,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    parse,
    validate,
)

from escrow.errors import ErrorCode

ROOT: Final = Path(__file__).parents[2]
CLIENTS: Final = ROOT / "clients"
FILES: Final = sorted((CLIENTS / "operations").glob("*.graphql"))
SCHEMA: Final = build_schema((ROOT / "schema" / "schema.graphql").read_text())

THE_OPERATORS: Final = frozenset({"resolveReversal", "resolveOrder"})
"""Commands on contracts that no integrator gives."""

OF_ENDPOINTS: Final = frozenset({"sendTestEvent", "redeliver", "replayEvents", "rotateWebhookSecret"})

ENVELOPE: Final = frozenset(
    {
        "id", "cursor", "type", "schemaVersion", "occurredAt", "stream", "sequence", "hash", "previousHash", "body",
        "actor", "texts",
    }
)  # fmt: skip
"""Fields of an event that every event of every release has."""


def document() -> DocumentNode:
    return parse("\n".join(path.read_text() for path in FILES))


def operations(kind: OperationType) -> list[OperationDefinitionNode]:
    return [one for one in document().definitions if isinstance(one, OperationDefinitionNode) and one.operation is kind]


def fields(one: OperationDefinitionNode | FragmentDefinitionNode) -> list[FieldNode]:
    return [field for field in one.selection_set.selections if isinstance(field, FieldNode)]


def test_every_operation_fits_the_schema() -> None:
    assert validate(SCHEMA, document()) == []


def test_every_command_on_a_contract_and_on_an_endpoint_is_there() -> None:
    commands, mutation = SCHEMA.type_map["CommandInput"], SCHEMA.mutation_type
    assert isinstance(commands, GraphQLInputObjectType)
    assert mutation is not None
    offered = {field.name.value for one in operations(OperationType.MUTATION) for field in fields(one)}
    endpoints = {name for name in mutation.fields if name.endswith("WebhookEndpoint")}
    assert len(endpoints) >= 5
    assert offered >= (set(commands.fields) - THE_OPERATORS) | endpoints | OF_ENDPOINTS


@pytest.mark.parametrize("operation", operations(OperationType.MUTATION), ids=lambda one: one.name.value)
def test_every_mutation_can_be_repeated_and_tells_why_it_was_refused(operation: OperationDefinitionNode) -> None:
    (field,) = fields(operation)
    assert [directive.name.value for directive in field.directives or ()] == ["idempotent"]
    assert field.selection_set is not None
    asked = [one.name.value for one in field.selection_set.selections if isinstance(one, FieldNode)]
    assert "userErrors" in asked
    assert len(asked) > 1
    assert operation.name is not None
    assert operation.name.value == field.name.value[0].upper() + field.name.value[1:]


def test_of_an_event_only_the_envelope_is_asked() -> None:
    (fragment,) = (
        one
        for one in document().definitions
        if isinstance(one, FragmentDefinitionNode) and one.type_condition.name.value == "Event"
    )
    assert {field.name.value for field in fields(fragment)} == ENVELOPE


def test_every_code_of_a_refusal_has_its_class_in_the_python_client() -> None:
    source = (CLIENTS / "python" / "src" / "earnest_client" / "errors.py").read_text()
    assert set(re.findall(r'^    code = "(\w+)"$', source, re.MULTILINE)) == {code.value for code in ErrorCode}
