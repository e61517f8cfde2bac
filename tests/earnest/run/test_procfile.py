"""The Procfile: what is read, and that what isn't right is refused by its line."""

import sys
from pathlib import Path

import pytest

from earnest.run.procfile import Entry, read_procfile
from earnest.run.refusing import CannotStart

PROJECT = Path(__file__).parents[3]


def test_the_project_has_a_web_and_a_worker_that_run_with_this_interpreter() -> None:
    entries = read_procfile(PROJECT / "Procfile")
    assert entries == [Entry(name=name, command=(sys.executable, "-m", "earnest", name)) for name in ("web", "worker")]


def test_words_are_split_as_a_shell_would_and_comments_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# one process\n\n  clock:  tick 'every day' \n")
    assert read_procfile(path) == [Entry(name="clock", command=("tick", "every day"))]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "names no process"),
        ("# nothing\n", "names no process"),
        ("web: a\nweb: b\n", "names a process twice"),
        ("web: a\nworker\n", "line 2"),
        ("web:\n", "line 1"),
        ("web: 'open\n", "line 1"),
        ("the web: a\n", "line 1"),
    ],
)
def test_what_is_not_right_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "Procfile"
    path.write_text(content)
    with pytest.raises(CannotStart, match=says):
        read_procfile(path)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="folder of its checkout"):
        read_procfile(tmp_path / "Procfile")
