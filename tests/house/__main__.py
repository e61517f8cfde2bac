"""Prints the figures of the house beside their goals: `python -m tests.house`, or `make house`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.house import layout, measures, touched


def main() -> int:
    """The figures as a table; 1 if one of them misses its goal."""
    rows = list(_figures())
    width = max(len(name) for name, _, _, _ in rows)
    for name, figure, goal, is_met in rows:
        print(f"{name:<{width}}  {figure:>8}  {goal:<16}{'' if is_met else '  <- missed'}")
    for circle in measures.circles(measures.imports()):
        print(f"circle: {', '.join(circle)}")
    return 0 if all(is_met for *_, is_met in rows) else 1


def _figures() -> Iterator[tuple[str, str, str, bool]]:
    """Name, figure, goal, and whether it is met."""
    lines, functions = measures.lines(), measures.function_lines()
    unsaid = {name for name, count in measures.stems().items() if count > 1} - set(layout.meanings())
    yield "modules", f"{len(lines)}", "", True
    yield "lines of source", f"{sum(lines.values()):,}", f"was {measures.LINES:,}", True
    yield _below("lines of a module, median", measures.middle(lines.values()), measures.LINES_MEDIAN)
    yield _at_most("lines of the longest module", max(lines.values()), measures.LINES_MAX)
    yield _at_most("lines of a function, median", measures.middle(functions), measures.FUNCTION_LINES_MEDIAN)
    yield _at_most("circles of imports", len(measures.circles(measures.imports())), measures.CIRCLES_MAX)
    yield _at_most("names that stand for two things", len(unsaid), 0)
    yield _at_most("files that a field stands in, commonly", touched.by_a_field(), touched.FIELD_MAX)
    yield _at_most("files that an action stands in, commonly", touched.by_an_action(), touched.ACTION_MAX)


def _below(name: str, figure: float, goal: int) -> tuple[str, str, str, bool]:
    return name, f"{figure:,.10g}", f"< {goal:,}", figure < goal


def _at_most(name: str, figure: float, goal: int) -> tuple[str, str, str, bool]:
    return name, f"{figure:,.10g}", f"<= {goal:,}", figure <= goal


if __name__ == "__main__":
    sys.exit(main())
