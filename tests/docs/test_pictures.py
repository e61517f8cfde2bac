"""The pictures and tables in the docs are the ones in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.pictures import contract_picture, milestone_picture, sandbox_tables

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "picture"),
    [
        ("README.md", milestone_picture()),
        ("docs/lifecycle.md", milestone_picture()),
        ("docs/lifecycle.md", contract_picture()),
        ("docs/sandbox.md", sandbox_tables()),
    ],
    ids=["readme", "milestone", "contract", "sandbox"],
)
def test_a_page_shows_the_tables_as_they_are(page: str, picture: str) -> None:
    assert picture in (ROOT / page).read_text()
