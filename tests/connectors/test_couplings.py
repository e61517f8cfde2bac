"""What a coupling may be called: just what the domain takes as the name of a system, though connectors don't import its rules."""

from __future__ import annotations

import pytest

from connectors.couplings import may_be
from escrow.agreement.inputs import external_system
from escrow.errors import InvalidInput


def is_a_system(name: str) -> bool:
    try:
        external_system(name)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("jira", True),
        ("a", True),
        ("0.b_c-d", True),
        ("a" * 50, True),
        ("a" * 51, False),
        ("", False),
        (".a", False),
        ("Jira", False),
        ("ji ra", False),
        ("jira\n", False),
        ("ji\x00ra", False),
        ("jirä", False),
    ],
)
def test_a_coupling_is_called_what_a_system_of_references_may_be(name: str, is_one: bool) -> None:
    assert may_be(name) is is_a_system(name) is is_one
