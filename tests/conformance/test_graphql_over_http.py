"""GraphQL over HTTP, to the letter: by the audits of the npm package `graphql-http`."""

from tests.conformance.conftest import Node


def test_every_audit_passes_without_a_warning(node: Node) -> None:
    assert "61 of 61 audits passed" in node("graphql-http.mjs")
