"""Which operations a standby may answer: lists alone, and nothing in them that has to be so now."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, parse

from schema.engine.listing import only_lists


def may_be_read_there(query: str) -> bool:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return only_lists(document, operation)


@pytest.mark.parametrize(
    "query",
    [
        "{ contracts { nodes { id title } } changes { cursor } }",
        "{ mine: contracts { nodes { ...Named } } } fragment Named on Contract { title ...Named }",
        "{ contracts { nodes { allowedActions: title } } }",
        "{ contracts { nodes { id } } } fragment Unused on Contract { allowedActions { action } }",
    ],
)
def test_lists_may(query: str) -> None:
    assert may_be_read_there(query)


@pytest.mark.parametrize(
    "query",
    [
        "{ contracts { nodes { id } } contract(id: 1) { id } }",
        "{ ...Lists } fragment Lists on Query { contracts { nodes { id } } }",
        "mutation { contracts { nodes { id } } }",
        "{ contracts { nodes { allowedActions { action } } } }",
        "{ contracts { nodes { may: allowedActions { action } } } }",
        "{ contracts { nodes { milestones { ... on Milestone { allowedActions { action } } } } } }",
        "{ disputes { nodes { ...One } } } fragment One on Dispute { ...Two } fragment Two on Dispute { allowedActions { id } }",
        "{ contracts { nodes { changeRequests { nodes { planBefore { title } } } } } }",
        "{ contracts { nodes { changeRequests { nodes { misfit { changeNumber } } } } } }",
    ],
)
def test_nothing_else_may(query: str) -> None:
    assert not may_be_read_there(query)
