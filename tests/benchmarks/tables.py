"""Tables of figures: as they are printed, and as they stand in docs/performance.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"

MEASURED_ON: Final = f"*Python {platform.python_version()}*"
"""Below each table: what time it says hangs on the interpreter, and on how that was built."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures under a name; the first column says of what they are, the others are aligned right."""

    name: str
    """By which the page knows its place: `peers`."""
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (self.columns, rule, *self.rows)]
        return "\n".join([f"{self.caption}", "", *lines, "", MEASURED_ON])


def put(tables: Sequence[Table], text: str) -> str:
    """The page's text with these tables in their places. Refuses with `LookupError` a table that has no place in it."""
    for table in tables:
        begin, end = f"<!-- {table.name} -->", "<!-- end -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise LookupError(f"the page has no place for the table {table.name}")
        text = f"{before}{begin}\n\n{table.markdown()}\n\n{end}{after}"
    return text
