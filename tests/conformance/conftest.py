"""A whole deployment for the field's clients and audits, and the Node that runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.product import started

HERE = Path(__file__).parent
PATIENCE_SECONDS = 120.0

Node = Callable[[str], str]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Runs one of the scripts of this folder against the deployment, and gives what it printed; it must succeed."""
    with started(tmp_path_factory.mktemp("conformance")) as (port, keys):
        environ = os.environ | {"EARNEST_URL": f"http://127.0.0.1:{port}", "EARNEST_KEY": keys["client"]}

        def run(script: str) -> str:
            done = subprocess.run(
                ["node", script],
                cwd=HERE,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_SECONDS,
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            return done.stdout

        yield run
