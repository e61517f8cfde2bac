"""The pictures in the docs are the tables in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.pictures import contract_picture, milestone_picture

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("picture", [contract_picture(), milestone_picture()], ids=["contract", "milestone"])
def test_the_lifecycle_page_shows_the_tables_as_they_are(picture: str) -> None:
    assert picture in (ROOT / "docs" / "lifecycle.md").read_text()


def test_the_readme_shows_the_milestones_table_as_it_is() -> None:
    assert milestone_picture() in (ROOT / "README.md").read_text()
