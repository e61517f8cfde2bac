"""docs/watching.md, the dashboard and the alerts say what there is: every figure exists, and every alert says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow import exposition, meters

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "watching.md").read_text()
ALERTS = (ROOT / "ops" / "prometheus" / "alerts.yml").read_text()
DASHBOARD = json.loads((ROOT / "ops" / "grafana" / "earnest.json").read_text())

_NAMES = re.compile(r"\b(?:earnest|process)_[a-z_]+\b")
_PARTS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def exposed(*pages: str) -> set[str]:
    """The names of all series that pages of metrics have, or would have once something happens."""
    kinds = (line.split(" ")[2:] for page in pages for line in page.splitlines() if line.startswith("# TYPE "))
    return {
        name.removesuffix("_total") + part if kind == "counter" else name + part
        for name, kind in kinds
        for part in _PARTS[kind]
    }


def alerted() -> set[str]:
    """The series that alerts look at."""
    return {name for line in ALERTS.splitlines() if "expr:" in line for name in _NAMES.findall(line)}


def drawn() -> set[str]:
    """The series that the dashboard shows."""
    queries = (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    return {name for query in queries for name in _NAMES.findall(query)}


def _alerts() -> Iterator[tuple[str, str]]:
    """Each alert with the lines that belong to it."""
    for part in ALERTS.split("- alert: ")[1:]:
        name, _, rest = part.partition("\n")
        yield name.strip(), rest


@pytest.mark.parametrize("name", [name for name, _ in _alerts()])
def test_each_alert_says_what_to_do(name: str) -> None:
    heading = re.search(rf"^### {name}\n\n(.+?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert heading is not None, f"docs/watching.md has no heading {name}"
    assert len(heading[1].split()) >= 15, "a few words help nobody at night"


def test_each_alert_is_whole_and_no_heading_is_left_over() -> None:
    for name, rest in _alerts():
        assert re.search(r"^        expr: \S", rest, re.MULTILINE), name
        assert re.search(r"severity: (page|ticket)\}", rest), name
        assert "summary: " in rest, name
    assert set(re.findall(r"^### (Earnest\w+)$", PAGE, re.MULTILINE)) == {name for name, _ in _alerts()}


def test_the_page_lists_every_figure_that_alerts_and_dashboard_ask_for() -> None:
    families = {
        re.sub(r"_(total|bucket|count|sum)$", "", name) for name in alerted() | drawn() if name.startswith("earnest_")
    }
    listed = {re.sub(r"_total$", "", name) for name in re.findall(r"`(earnest_[a-z_]+)", PAGE)}
    assert families - listed == set()


def test_the_page_lists_every_meter() -> None:
    listed = {re.sub(r"_total$", "", name) for name in re.findall(r"`(earnest_[a-z_]+)", PAGE)}
    ours = {figure.name for figure in meters.figures() if figure.name.startswith("earnest_")}
    assert ours - listed == set()


def test_what_every_web_process_tells_alike_is_not_added_up() -> None:
    """Two of them would show it twice."""
    whole = PAGE.partition("Of the deployment, the same")[2].partition("Of one process")[0]
    alike = set(re.findall(r"`(earnest_[a-z_]+)", whole))
    assert {"earnest_log_position", "earnest_deadlines_fired_total", "earnest_orders_open"} <= alike
    drawn_so = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    alerted_so = re.findall(r"^ +expr: (.+)$", ALERTS, re.MULTILINE)
    asked = [one for one in (*drawn_so, *alerted_so) if alike & set(_NAMES.findall(one))]
    assert [one for one in asked if not one.startswith("max")] == []


def test_series_are_told_by_the_pages_own_types() -> None:
    page = exposition.text([meters.one("earnest_x", "x", 1.0), meters.counted("earnest_y", "y", "by", [("z", 2)])])
    assert {"earnest_x", "earnest_y_total"} <= exposed(page.decode())


def test_panels_have_titles_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
