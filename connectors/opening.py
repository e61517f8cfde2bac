"""Opens the two sides of a coupling: which tool it is, and where in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connectors.couplings import Coupling
from connectors.home import EarnestContract
from connectors.port import Tool
from connectors.tools.github_issues import GitHubIssues
from connectors.tools.github_milestones import API, GitHubMilestones, github
from connectors.tools.jira import JiraIssues, jira
from connectors.tools.trac import TracMilestones, trac

Place = Mapping[str, str]


def _github(place: Place, token: str) -> Tool:
    calls = github(token, place.get("url") or API)
    if label := place.get("label"):
        return GitHubIssues(calls, place["repository"], label)
    return GitHubMilestones(calls, place["repository"])


def _jira(place: Place, token: str) -> Tool:
    return JiraIssues(jira(place["url"], token), place["project"], place["type"], base=place["url"])


def _trac(place: Place, token: str) -> Tool:
    return TracMilestones(trac(place["url"], token), base=place["url"])


TOOLS: Final[Mapping[str, Callable[[Place, str], Tool]]] = {"github": _github, "jira": _jira, "trac": _trac}
NAMES: Final[Mapping[str, str]] = {"github": "GitHub", "jira": "Jira", "trac": "Trac"}


def tool_of(coupling: Coupling) -> Tool:
    """The tool's side."""
    return TOOLS[coupling.tool](coupling.place, coupling.secrets.token)


def home_of(coupling: Coupling) -> EarnestContract:
    """Earnest's side."""
    return EarnestContract(
        coupling.earnest_url,
        coupling.secrets.key,
        contract_id=coupling.contract_id,
        system=coupling.name,
        said_by=NAMES[coupling.tool],
        since=coupling.since,
    )
