"""The alerts by Prometheus' own judge: that it reads them, and that each that pages somebody fires when it must and not before.

What the dashboard and the alerts ask of a deployment is put to a real Prometheus in tests/earnest/test_seen.py.
"""

from __future__ import annotations

import asyncio

import pytest
import yaml

from tests.ops.scraping import MISSING, PROMTOOL, RULES, alerts, queries


def _told(name: str) -> dict[str, list[bool]]:
    """Of each alert that is tested, whether it fires each time."""
    found: dict[str, list[bool]] = {}
    for test in yaml.safe_load((RULES / name).read_text())["tests"]:
        for one in test["alert_rule_test"]:
            found.setdefault(one["alertname"], []).append(bool(one["exp_alerts"]))
    return found


def test_every_alert_that_pages_is_tested_both_ways() -> None:
    (group,) = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    paging = {rule["alert"] for rule in group["rules"] if rule["labels"]["severity"] == "page"}
    told = _told("alerts_test.yml")
    assert {name for name in paging if set(told.get(name, ())) != {True, False}} == set()


def test_what_is_asked_is_found_in_both_files() -> None:
    assert len(alerts()) == 22
    assert len(queries()) > 50
    assert not any("$" in one for one in queries())


@pytest.mark.skipif(PROMTOOL is None, reason=MISSING)
@pytest.mark.parametrize(
    "asked",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
async def test_promtool_finds_nothing_wrong(asked: tuple[str, ...]) -> None:
    assert PROMTOOL is not None
    process = await asyncio.create_subprocess_exec(
        PROMTOOL, *asked, cwd=RULES, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
