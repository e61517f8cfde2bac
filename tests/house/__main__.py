"""Prints the figures of the house beside their goals: `python -m tests.house`, or `make house`."""

from __future__ import annotations

import sys

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


def _figures() -> list[tuple[str, str, str, bool]]:
    lines, functions = measures.lines(), measures.function_lines()
    unsaid = {name for name, count in measures.stems().items() if count > 1} - set(layout.meanings())
    circles = len(measures.circles(measures.imports()))
    median, function_median = measures.middle(lines.values()), measures.middle(functions)
    field, action = touched.by_a_field(), touched.by_an_action()
    return [
        ("modules", f"{len(lines)}", "", True),
        ("lines of source", f"{sum(lines.values()):,}", f"< {measures.LINES:,}", sum(lines.values()) < measures.LINES),
        ("lines of a module, median", f"{median:g}", f"< {measures.LINES_MEDIAN}", median < measures.LINES_MEDIAN),
        ("lines of the longest module", f"{max(lines.values())}", f"<= {measures.LINES_MAX}", max(lines.values()) <= measures.LINES_MAX),
        ("lines of a function, median", f"{function_median:g}", f"<= {measures.FUNCTION_LINES_MEDIAN}", function_median <= measures.FUNCTION_LINES_MEDIAN),
        ("circles of imports", f"{circles}", f"<= {measures.CIRCLES_MAX}", circles <= measures.CIRCLES_MAX),
        ("names that stand for two things", f"{len(unsaid)}", "0", not unsaid),
        ("files that a new field touches", f"{field}", f"{touched.FIELD_MAX}", field <= touched.FIELD_MAX),
        ("files that a new action touches", f"{action}", f"{touched.ACTION_MAX}", action <= touched.ACTION_MAX),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
