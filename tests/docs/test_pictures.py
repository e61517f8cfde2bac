"""The pictures in the docs are drawn from the tables in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.generate.pictures import (
    change_request_picture,
    contract_picture,
    dispute_picture,
    milestone_picture,
    refund_request_picture,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "picture"),
    [
        ("README.md", milestone_picture()),
        ("docs/lifecycle.md", milestone_picture()),
        ("docs/lifecycle.md", contract_picture()),
        ("docs/lifecycle.md", refund_request_picture()),
        ("docs/lifecycle.md", dispute_picture()),
        ("docs/lifecycle.md", change_request_picture()),
    ],
    ids=["readme", "milestone", "contract", "refund request", "dispute", "change request"],
)
def test_a_page_shows_the_tables_as_they_are(page: str, picture: str) -> None:
    assert picture in (ROOT / page).read_text()
