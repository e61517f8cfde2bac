"""What nothing can follow any more once a newer timeline has begun, which whoever follows the server moves out of its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.backups import follower, timelines
from tests.earnest.doctor.test_kept_backups import keep


@pytest.mark.parametrize(
    ("position", "names"),
    [
        ("0/3000100", ["03", "04", "05.partial"]),
        ("0/4000000", ["04", "05.partial"]),  # it ends where the newer one begins
        ("0/5000000", []),  # the last one goes on there
        ("0/5000100", []),
    ],
)
def test_files_that_end_or_begin_beyond_the_fork_are_undone(tmp_path: Path, position: str, names: list[str]) -> None:
    keep(tmp_path, 2, 3, 4)
    keep(tmp_path, 5, suffix=".partial")
    keep(tmp_path, 3, 4, timeline=2)
    (tmp_path / "wal" / "00000002.history").write_text(f"1\t{position}\tbefore 2026-11-29 01:00:00+00\n")
    (tmp_path / "wal" / "000000010000000000000009.copy").touch()
    found = follower.undone(tmp_path / "wal", timelines.newest([tmp_path / "wal"]))
    assert [path.name.removeprefix(f"{1:08X}{0:014X}") for path in found] == names


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("ERROR: requested WAL segment 000000010000000000000005 has already been removed", 5),
        ("FEHLER: das angeforderte WAL-Segment 000000020000000000000005 wurde schon entfernt", 5),
        ("ERROR: requested WAL segment 000000010000000000000004 has already been removed", None),
        (
            'pg_receivewal: error: could not write 8192 bytes to WAL file "000000010000000000000005": No space left',
            None,
        ),
        ("ERROR: could not read from WAL segment 000000010000000000000005, offset 0: Input/output error", None),
    ],
)
def test_nothing_is_stepped_over_but_what_the_server_says_it_has_no_more(
    tmp_path: Path, said: str, number: int | None
) -> None:
    keep(tmp_path, 3, 4)
    assert follower._gone(tmp_path / "wal", said) == number
    keep(tmp_path, 5, suffix=".partial")
    assert follower._gone(tmp_path / "wal", said) == number


def test_as_long_as_nothing_was_restored_nothing_is_undone(tmp_path: Path) -> None:
    keep(tmp_path, 2, 3)
    assert follower.undone(tmp_path / "wal", timelines.newest([tmp_path / "wal"])) == []
