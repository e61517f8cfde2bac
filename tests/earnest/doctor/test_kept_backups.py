"""What is said of a folder of backups: whether the newest state can be brought back from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from earnest.backups.restoring import SEGMENT_BYTES
from earnest.doctor import kept_backups
from earnest.doctor.findings import Finding, Grade

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def found(backups: Path, *, now: datetime = NOON) -> Finding:
    (only,) = kept_backups.look(backups, now=now)
    return only


def copy(backups: Path, name: str, *, timeline: int, until: str, first: str) -> None:
    """A base as `pg_basebackup` leaves it, as far as it is looked at."""
    base = backups / name
    base.mkdir(parents=True)
    ranges = [{"Timeline": timeline, "Start-LSN": "0/28", "End-LSN": until}]
    (base / "backup_manifest").write_text(json.dumps({"Files": [], "WAL-Ranges": ranges}))
    (base / "backup_label").write_text(f"START WAL LOCATION: 0/2000028 (file {first})\n")


def keep(backups: Path, *numbers: int, timeline: int = 1, suffix: str = "") -> None:
    """Files of the log, which take no room."""
    (backups / "wal").mkdir(exist_ok=True)
    for number in numbers:
        with (backups / "wal" / f"{timeline:08X}{0:08X}{number:08X}{suffix}").open("wb") as file:
            file.truncate(SEGMENT_BYTES)


def test_where_no_folder_is_named_nothing_is_said() -> None:
    assert kept_backups.look(None) == []


def test_a_folder_without_a_backup_is_odd(tmp_path: Path) -> None:
    assert (found(tmp_path).grade, "there is none" in found(tmp_path).what) == (Grade.ODD, True)


def test_after_a_restore_it_says_that_no_backup_was_taken_since(tmp_path: Path) -> None:
    copy(tmp_path, "base-20261129T000000Z", timeline=1, until="0/2000158", first=f"{1:08X}{0:08X}{2:08X}")
    keep(tmp_path, 2, 3)
    assert found(tmp_path).grade is Grade.FINE, found(tmp_path)
    assert found(tmp_path, now=NOON + timedelta(days=3)).grade is Grade.ODD

    (tmp_path / "wal" / "00000002.history").write_text("1\t0/3000100\tbefore 2026-11-29 01:00:00+00\n")
    keep(tmp_path, 3, 4, timeline=2)
    said = found(tmp_path)
    assert (said.grade, said.remedy) == (Grade.ODD, "`earnest backup`")
    assert "none was taken since the last restore: the next one would begin at 2026-11-29T00:00:00Z" in said.what

    copy(tmp_path, "base-20261129T110000Z", timeline=2, until="0/4000158", first=f"{2:08X}{0:08X}{4:08X}")
    assert found(tmp_path).grade is Grade.FINE, found(tmp_path)


def test_a_gap_in_the_log_is_wrong_unless_a_later_backup_lies_behind_it(tmp_path: Path) -> None:
    copy(tmp_path, "base-20261129T000000Z", timeline=1, until="0/2000158", first=f"{1:08X}{0:08X}{2:08X}")
    keep(tmp_path, 2, 3, 0xFF)
    keep(tmp_path, 5, suffix=".partial")
    said = found(tmp_path)
    assert said.grade is Grade.WRONG
    assert "has a gap: 000000010000000000000004" in said.what
    copy(tmp_path, "base-20261129T110000Z", timeline=1, until="0/FF000158", first=f"{1:08X}{0:08X}{0xFF:08X}")
    assert found(tmp_path).grade is Grade.FINE, found(tmp_path)


def test_what_was_not_kept_to_its_end_is_a_gap_where_anything_follows(tmp_path: Path) -> None:
    copy(tmp_path, "base-20261129T000000Z", timeline=1, until="0/2000158", first=f"{1:08X}{0:08X}{2:08X}")
    keep(tmp_path, 2, 3)
    keep(tmp_path, 4, suffix=".partial")
    assert found(tmp_path).grade is Grade.FINE, found(tmp_path)
    keep(tmp_path, 5)
    assert "has a gap: 000000010000000000000004" in found(tmp_path).what
    keep(tmp_path, 4)
    assert found(tmp_path).grade is Grade.FINE, found(tmp_path)


def test_where_a_restore_undid_everything_it_is_wrong(tmp_path: Path) -> None:
    copy(tmp_path, "base-20261129T000000Z", timeline=1, until="0/2000158", first=f"{1:08X}{0:08X}{2:08X}")
    keep(tmp_path, 2)
    (tmp_path / "wal" / "00000002.history").write_text("1\t0/2000000\tbefore 2026-11-28 01:00:00+00\n")
    assert found(tmp_path).grade is Grade.WRONG
