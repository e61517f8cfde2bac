"""The deployment that the pages' readers share: it takes as long to start as all that they do with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.product import started


@dataclass(frozen=True, slots=True)
class Deployed:
    """A running product with its demo contract, which readers add to: its folder, its port, and the keys by role."""

    root: Path
    port: int
    keys: dict[str, str]


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Freshly started, in a folder with a space. `tests/scheduling.py` has one process run whoever shares it."""
    root = tmp_path_factory.mktemp("read me")
    with started(root) as (port, keys):
        yield Deployed(root, port, keys)
