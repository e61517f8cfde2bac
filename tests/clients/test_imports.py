"""Neither side of the wire imports the other: clients know the schema alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = tuple(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"])
IMPORTED: Final = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)


def test_the_python_client_imports_nothing_of_the_product() -> None:
    sources = [path for path in (ROOT / "clients").rglob("*.py") if "node_modules" not in path.parts]
    assert sources
    for path in sources:
        assert not set(IMPORTED.findall(path.read_text())) & {*PRODUCT, "tests"}, path


def test_the_typescript_client_reaches_nothing_outside_of_its_folder() -> None:
    for path in (ROOT / "clients" / "typescript" / "src").glob("*.ts"):
        assert "'../" not in path.read_text(), path


def test_the_product_imports_no_client() -> None:
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            assert "earnest_client" not in IMPORTED.findall(path.read_text()), path
