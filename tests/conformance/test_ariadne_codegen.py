"""ariadne-codegen makes a typed client of the schema as it is served, and that client works unchanged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import httpx

from tests.conformance.conftest import HERE, Deployment
from tests.patience import PATIENCE_SECONDS

BIN = HERE / ".venv" / "bin"

SETTINGS = """
[tool.ariadne-codegen]
schema_path = "schema.graphql"
queries_path = "documents.graphql"
target_package_name = "client"
"""


def test_the_client_that_it_makes_works_across_a_restart(
    deployment: Deployment, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "schema.graphql").write_text(httpx.get(f"{deployment.url}/schema.graphql", timeout=60).text)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    for name in ("documents.graphql", "talk.py"):
        shutil.copy(HERE / "ariadne" / name, tmp_path)
    alone = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    said = ""
    commands: list[list[str | Path]] = [[BIN / "ariadne-codegen", "client"], [BIN / "python", "talk.py"]]
    for command in commands:
        done = subprocess.run(
            command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
        said = done.stdout
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "a subscription across a restart" in said
