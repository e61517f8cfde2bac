"""Standard Webhooks: the npm package `standardwebhooks` verifies our requests unchanged."""

from tests.conformance.conftest import Node


def test_the_standards_library_verifies_what_is_sent_and_refuses_what_was_altered(node: Node) -> None:
    said = node("standardwebhooks.mjs")
    assert said.count("and refused it when altered") == 4
    assert "verified with both secrets during a rotation" in said
