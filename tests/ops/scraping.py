"""A real Prometheus, where this machine has one: it scrapes processes of a test, and answers what dashboard and alerts ask.

Debian's package `prometheus` brings it, with `promtool`. Without it these tests say so and are left out.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until

RULES: Final = Path(__file__).parents[2] / "ops" / "prometheus"
DASHBOARD: Final = RULES.parent / "grafana" / "earnest.json"
PROMTOOL: Final = shutil.which("promtool")
PROMETHEUS: Final = shutil.which("prometheus")
MISSING: Final = "no Prometheus on this machine: Debian's package `prometheus` brings it"
SPAN: Final = "5m"
"""What Grafana fills in for `$__rate_interval`."""

_SELECTOR: Final = re.compile(r"\b(?:earnest_[a-z_]+|process_[a-z_]+|up)\b(?:\{[^}]*\})?")
_COMPARED: Final = re.compile(r" (?:==|>) [\d.]+$")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    http: httpx.AsyncClient

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """What it answers now; fails with its own words if it doesn't understand."""
        answer = await self.http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, (expression, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    async def rules(self) -> dict[str, str]:
        """The alerts that it has loaded, with how their last evaluation went; `unknown` before the first."""
        answer = await self.http.get("/api/v1/rules")
        assert answer.status_code == 200, answer.text
        return {
            rule["name"]: rule.get("lastError") or rule["health"]
            for group in answer.json()["data"]["groups"]
            for rule in group["rules"]
        }

    async def unanswered(self, expressions: list[str]) -> list[str]:
        """Those that find nothing, though each series that they look at is there."""
        return [
            one
            for one in expressions
            if not await self.query(one) and all([await self.query(selector) for selector in _SELECTOR.findall(one)])
        ]


def alerts() -> list[str]:
    """The expressions of all alerts, without what their values are compared with: those always find something."""
    lines = re.findall(r"^ +expr: (.+)$", (RULES / "alerts.yml").read_text(), re.MULTILINE)
    return [_COMPARED.sub("", line) for line in lines]


def queries() -> list[str]:
    """What the dashboard asks."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"].replace("$__rate_interval", SPAN) for panel in panels for target in panel["targets"]]


@asynccontextmanager
async def scraped(folder: Path, jobs: Mapping[str, str]) -> AsyncIterator[Prometheus]:
    """One with our alerts that has scraped each job (its name and `host:port`) often enough to tell rates."""
    assert PROMETHEUS is not None, MISSING
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "alerts.yml")],
        "scrape_configs": [{"job_name": name, "static_configs": [{"targets": [at]}]} for name, at in jobs.items()],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # which is YAML, too
    at, log = f"127.0.0.1:{free_port()}", folder / "prometheus.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={at}",
            stdout=output,
            stderr=output,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://{at}", timeout=PATIENCE_SECONDS) as http:
            one = Prometheus(http)

            async def knows() -> bool:
                try:
                    seen = await one.query(f"sum_over_time(up[{SPAN}]) >= 2")
                    health = set((await one.rules()).values())
                except (httpx.TransportError, AssertionError):  # it begins
                    return False
                return {found["metric"]["job"] for found in seen} == jobs.keys() and "unknown" not in health

            await until(knows, otherwise=log.read_text)
            yield one
    finally:
        process.terminate()
        await process.wait()
