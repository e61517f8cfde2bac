"""The sandbox's page in the docs is the sandbox's tables."""

from __future__ import annotations

from pathlib import Path

from escrow.payments.sandbox_behaviours import AMOUNTS, TOKENS

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_the_page_shows_every_token_and_every_amount_with_its_meaning_and_no_others() -> None:
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    tables = (*TOKENS.items(), *AMOUNTS.items())
    assert shown == [f"| `{told}` | {behaviour.meaning} |" for told, behaviour in tables]
