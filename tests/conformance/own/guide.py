"""The guide's lines in each language, one after the other, as the programs that they say they are parts of."""

from __future__ import annotations

import re
import textwrap

from tests.docs.product import ROOT

PAGES = ("accounts.md", "agreement.md", "work.md", "disputes.md")
"""In the order in which one reads."""


def lines_of(language: str) -> str:
    """All blocks of a language."""
    pages = [(ROOT / "docs" / "guide" / page).read_text() for page in PAGES]
    return "\n".join(block for page in pages for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL))


def program_of(language: str) -> str:
    """A program; at its end it says so."""
    if language == "ts":
        return lines_of("ts") + "\nconsole.log('the whole job');\n"
    body = textwrap.indent(lines_of("python"), "    ")
    return (
        f"import asyncio\n\n\nasync def main() -> None:\n{body}\n    print('the whole job')\n\n\nasyncio.run(main())\n"
    )
