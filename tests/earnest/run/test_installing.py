"""What is shown while packages are installed, and that what goes wrong is told whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from earnest.run import installing

PIP = """
import sys
print("Collecting alpha==1 (from -r x (line 1))")
print("  Downloading alpha-1.whl (1 kB)")
print("Requirement already satisfied: beta==1 in /somewhere")
print("Requirement already satisfied: beta==1 in /somewhere")
print("Ignoring gamma: markers 'x' don't match your environment")
print("Collecting delta==1 (from -r x (line 4))")
print("Installing collected packages: alpha, delta")
print("ERROR: the hashes do not match") if {code} else None
sys.exit({code})
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("".join(f"{name}==1 \\\n    --hash=sha256:00\n" for name in ("alpha", "beta", "gamma", "delta")))
    return path


def played(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A pip that says what pip says, and ends with that code."""
    monkeypatch.setattr(installing, "PIP", ("-c", PIP.format(code=code)))


def test_each_package_is_counted_once_and_the_end_is_told(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played(monkeypatch, 0)
    assert installing.main(lock) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["  1 of 4: alpha", "  2 of 4: beta", "  3 of 4: gamma", "  4 of 4: delta"]
    assert lines[4] == "  all are here; unpacking them"
    assert lines[5].startswith("  installed after ")


def test_what_pip_said_is_printed_when_it_fails(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played(monkeypatch, 3)
    assert installing.main(lock) == 3
    shown = capsys.readouterr()
    assert "pip failed" in shown.out
    assert "the hashes do not match" in shown.err


def test_a_lock_whose_hashes_are_wrong_is_refused_by_pip_itself(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    wheel = tmp_path / "alpha-1-py3-none-any.whl"
    wheel.write_bytes(b"no wheel at all")
    lock.write_text(f"alpha @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    program = [sys.executable, installing.__file__, str(lock)]
    refused = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert refused.returncode != 0
    assert "pip failed" in refused.stdout
