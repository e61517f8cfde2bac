"""The guide's lines do the whole job, in Python and in TypeScript, with nothing between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.conftest import Deployment
from tests.conformance.own.conftest import Installed


@pytest.mark.parametrize("language", ["in_python", "in_node"])
def test_its_lines_do_the_whole_job(
    language: str, request: pytest.FixtureRequest, deployment: Deployment, people: dict[str, str], tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(language)
    environ = {"EARNEST_URL": people["EARNEST_URL"], "EARNEST_OPERATOR": deployment.keys["operator"]}
    assert installed.run("guide", within=tmp_path, environ=environ).splitlines()[-1] == "the whole job"
