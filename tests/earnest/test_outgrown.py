"""Which backups are deleted, and that nothing is that those which stay need, after restores that began anew further back, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.backups import outgrown, taking
from tests.earnest.doctor.test_kept_backups import copy, keep


def base(backups: Path, hour: int, first: int, *, timeline: int = 1) -> str:
    """A base of that hour, whole within the file of the log in which it began."""
    name = f"base-20261129T{hour:02}0000Z"
    copy(backups, name, timeline=timeline, until=f"0/{first:02X}000158", first=f"{timeline:08X}{0:08X}{first:08X}")
    return name


def cut(backups: Path, position: str) -> None:
    """What PostgreSQL says of the timeline that a restore began."""
    (backups / "wal" / "00000002.history").write_text(f"1\t{position}\tbefore 2026-11-29 01:00:00+00\n")


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def test_the_newest_stay_and_the_log_that_they_need(tmp_path: Path) -> None:
    for hour, first in ((1, 0x10), (2, 0x20), (3, 0x30)):
        base(tmp_path, hour, first)
    keep(tmp_path, 0x10, 0x1F, 0x20, 0x21, 0x30)
    assert [one.path.name for one in outgrown.forget(tmp_path, keep=2)] == ["base-20261129T010000Z"]
    assert names(tmp_path, "base-*") == ["base-20261129T020000Z", "base-20261129T030000Z"]
    assert [name[-2:] for name in names(tmp_path / "wal", "*")] == ["20", "21", "30"]
    assert outgrown.forget(tmp_path, keep=2) == []


def test_one_whose_deletion_was_cut_short_is_no_backup_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newest = base(tmp_path, 1, 0x10), base(tmp_path, 2, 0x20)
    keep(tmp_path, 0x10, 0x20)

    def cut_short(path: Path, **_: object) -> None:
        for file in path.glob("backup_label"):
            file.unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("shutil.rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt):
            outgrown.forget(tmp_path, keep=1)
    assert [one.path.name for one in taking.bases(tmp_path)] == [newest]
    third = base(tmp_path, 3, 0x30)
    base(tmp_path, 0, 0x08)
    assert [one.path.name for one in outgrown.forget(tmp_path, keep=2)] == [oldest.replace("T01", "T00")]
    assert names(tmp_path, "base*") == [newest, third]


def test_the_log_of_a_timeline_that_began_further_back_stays(tmp_path: Path) -> None:
    undone = [base(tmp_path, hour, first) for hour, first in ((1, 0xA0), (2, 0xC0), (3, 0xF0))]
    newest = base(tmp_path, 4, 0x41, timeline=2)
    keep(tmp_path, 0xA0, 0xF1)
    keep(tmp_path, 0x41, 0x42, 0x43, timeline=2)
    cut(tmp_path, "0/40000100")
    assert [one.path.name for one in outgrown.forget(tmp_path, keep=2)] == undone
    assert names(tmp_path, "base-*") == [newest]
    assert [name[-2:] for name in names(tmp_path / "wal", "00000002????????????????")] == ["41", "42", "43"]
    assert names(tmp_path / "wal", "*.history") == ["00000002.history"]


def test_one_that_a_restore_undid_takes_the_place_of_none_and_stays_until_it_is_older(tmp_path: Path) -> None:
    oldest, before = base(tmp_path, 1, 0x10), base(tmp_path, 2, 0x30)
    undone, after = base(tmp_path, 3, 0xA0), base(tmp_path, 4, 0x41, timeline=2)
    keep(tmp_path, 0x10, 0x30, 0xA0)
    keep(tmp_path, 0x41, timeline=2)
    cut(tmp_path, "0/40000100")
    assert [one.path.name for one in outgrown.forget(tmp_path, keep=2)] == [oldest]
    assert names(tmp_path, "base-*") == [before, undone, after]
    assert [name[-2:] for name in names(tmp_path / "wal", "00*[0-9A-F]")] == ["30", "A0", "41"]

    newest = base(tmp_path, 5, 0x45, timeline=2)
    assert [one.path.name for one in outgrown.forget(tmp_path, keep=2)] == [before, undone]
    assert names(tmp_path, "base-*") == [after, newest]
    assert [name[-2:] for name in names(tmp_path / "wal", "00*[0-9A-F]")] == ["A0", "41"]
