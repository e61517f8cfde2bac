"""The command line as a whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from earnest.cli import main

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"earnest {tomllib.loads(PROJECT.read_text())['project']['version']}\n"
