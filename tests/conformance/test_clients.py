"""npm's clients as they come: a query, a mutation, and a subscription that lives through a restart of the whole deployment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.conftest import HERE, Node
from tests.docs.product import ROOT


@pytest.mark.parametrize("script", ["apollo.mjs", "urql.mjs", "graphql_sse.mjs", "relay.mjs"])
def test_a_client_with_subscriptions_works_unchanged(node: Node, script: str) -> None:
    assert "a subscription across a restart" in node(script)


def test_a_client_without_subscriptions_works_unchanged(node: Node) -> None:
    assert "a query, a mutation and an error" in node("graphql_request.mjs")


def test_the_client_of_the_socket_protocol_works_unchanged(node: Node) -> None:
    assert "a replay that resumes from its cursor" in node("graphql_ws.mjs")


def test_the_recipe_for_javascript_loses_and_doubles_nothing_across_a_restart(node: Node, tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```js\n(.*?)```", (ROOT / "docs/integrating/live.md").read_text(), re.DOTALL)
    (tmp_path / "listen.mjs").write_text(recipe)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    said = node("resuming.mjs", EARNEST_RECIPE=str(tmp_path / "listen.mjs"))
    assert "none lost, none doubled, across a restart" in said
