"""The page on good plans is the table of hints."""

from __future__ import annotations

import re
from pathlib import Path

from escrow.agreement.advice import HintCode

PAGE = Path(__file__).parents[2] / "docs" / "good-plans.md"


def test_the_page_explains_every_code_once_and_no_others() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(), re.MULTILINE) == [code.value for code in HintCode]
