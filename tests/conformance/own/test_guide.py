"""The guide's lines do the whole job, in Python and in TypeScript, with nothing between them."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.conftest import Deployment
from tests.conformance.own.conftest import Installed


def _environ(deployment: Deployment) -> dict[str, str]:
    return {"EARNEST_URL": deployment.url, "EARNEST_OPERATOR": deployment.keys["operator"]}


def test_its_lines_in_python_do_the_whole_job(in_python: Installed, deployment: Deployment, tmp_path: Path) -> None:
    said = in_python.run("guide", within=tmp_path, environ=_environ(deployment))
    assert said.splitlines()[-1] == "the whole job"


def test_its_lines_in_typescript_do_the_whole_job(in_node: Installed, deployment: Deployment, tmp_path: Path) -> None:
    said = in_node.run("guide", within=tmp_path, environ=_environ(deployment))
    assert said.splitlines()[-1] == "the whole job"
