"""What a folder says that can't take a file, in the words in which a store says it; and it keeps no half of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from escrow.archive_places import Unreachable, Unusable, place_at


def test_what_is_put_is_there_whole(tmp_path: Path) -> None:
    place = place_at(str(tmp_path / "made" / "for it"))
    place.put("log/1.parquet", b"all of it")
    assert place.get("log/1.parquet") == b"all of it"
    assert [path.name for path in (tmp_path / "made" / "for it" / "log").iterdir()] == ["1.parquet"]


def test_a_folder_that_is_full_is_unreachable_and_holds_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unreachable, match=r"log/1\.parquet can't be written to .*: No space left on device"):
        place_at(str(tmp_path)).put("log/1.parquet", b"a part of it")
    assert list((tmp_path / "log").iterdir()) == []


def test_an_empty_name_is_not_the_folder_of_the_command() -> None:
    for name in ("", " "):
        with pytest.raises(Unusable, match="no archive is named"):
            place_at(name)


def test_a_file_in_place_of_the_folder_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("somebody's")
    with pytest.raises(Unreachable, match=r"can't be written to .*taken: Not a directory"):
        place_at(str(tmp_path / "taken")).put("log/1.parquet", b"it")
    assert (tmp_path / "taken").read_text() == "somebody's"
