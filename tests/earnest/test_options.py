"""What stands behind a command's options and can't be meant is told with what would be right, before anything is opened."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from earnest.cli import make_parser
from earnest.options import day, folder, identifier, moment, whole
from earnest.run.refusing import CannotStart

COUPLING = "connect trac --url http://trac --contract ctr_1 --key ek_1 --token t"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("acts --limit -1", "“-1” is no whole number from 1 to"),
        ("acts --limit 0", "no whole number from 1 to"),
        ("acts --limit 99999999999999999999", "no whole number from 1 to"),
        ("acts --before 9223372036854775808", "no whole number from 1 to"),
        ("acts --before soon", "no whole number from 1 to"),
        ("backup --keep 0", "no whole number from 1 to"),
        ("backup --keep some", "no whole number from 1 to"),
        (f"{COUPLING} --poll 0", "no whole number from 1 to"),
        (f"{COUPLING} --poll 99999999999", "no whole number from 1 to"),
        ("reconcile --since soon", "“soon” is no time such as 2026-11-29"),
        ("reconcile --since 0001-01-01T00:00:00+14:00", "is no time such as"),
        ("restore --to 2026-13-01", "is no time such as"),
        ("archive place --before soon", "“soon” is no day such as 2026-11-29"),
        ("keys create --operator --expires 9999-12-31T23:00-14:00", "is neither a number of days"),
        ("erase \udcff", "names nothing that there can be"),
        ("erase ctr_1 --event \udcff", "names nothing that there can be"),
        ("documents remove \udcff", "names nothing that there can be"),
        ("restore --settle \udcff", "names nothing that there can be"),
        ("connect pause \udcff", "names nothing that there can be"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_would_be_right(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(line.split())
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("words", [["backup", "--to"], ["restore", "--from"], ["restore", "--into"]], ids=" ".join)
def test_a_folder_that_an_empty_variable_names_is_not_that_of_the_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args([*words, ""])
    assert ended.value.code == 2
    assert "no folder is named: is a variable empty?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("restore --declare", "say --finish --declare"),
        ("restore --declare --to 2026-11-29", "say --finish --declare"),
        ("restore --finish --to 2026-11-29", "--finish and --to are different things to do"),
        ("restore --finish --into there", "--finish and --into are different things to do"),
        ("restore --settle pay_1 --finish", "--settle and --finish are different things to do"),
        ("restore --settle pay_1 --to 2026-11-29", "--settle and --to are different things to do"),
    ],
)
def test_nothing_is_restored_by_who_meant_something_else(line: str, says: str) -> None:
    args = make_parser().parse_args([*line.split(), "--from", "backups"])
    with pytest.raises(CannotStart, match=says):
        args.run(args)


def test_what_can_be_meant_is_taken() -> None:
    assert [whole(1, 9)(text) for text in ("1", "9", "007")] == [1, 9, 7]
    assert moment("2026-11-29") == datetime(2026, 11, 29, tzinfo=UTC)
    assert moment("2026-11-29T08:00:00+02:00") == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert day("2026-11-29") == date(2026, 11, 29)
    assert (folder("kept/here"), identifier("ctr_1")) == (Path("kept/here"), "ctr_1")
    with pytest.raises(argparse.ArgumentTypeError):
        whole(1, 9)("10")
