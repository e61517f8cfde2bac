"""Every command that changes something of a deployment stands among the acts of operators, also where it was refused."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg

from earnest.cli import make_parser
from tests.earnest.commanding import commanded
from tests.earnest.running import clean_environment
from tests.escrow.test_settings import MINIMAL

CHANGES: Final = (
    ("migrate", "Migrate", "done"),
    ("accounts create Studio", "CreateAccount", "done"),
    ("accounts disable acc_none", "DisableAccount", "NOT_FOUND"),
    ("accounts enable acc_none", "EnableAccount", "NOT_FOUND"),
    ("accounts appoint acc_none", "AppointMediator", "NOT_FOUND"),
    ("accounts dismiss acc_none", "DismissMediator", "NOT_FOUND"),
    ("accounts rate acc_none 500", "SetRate", "NOT_FOUND"),
    ("accounts members add acc_none ana@x.example", "AddMember", "NOT_FOUND"),
    ("accounts members remove mem_none", "RemoveMember", "NOT_FOUND"),
    ("accounts members erase mem_none", "EraseMember", "NOT_FOUND"),
    ("keys create --operator", "CreateApiKey", "done"),
    ("keys revoke key_none", "RevokeApiKey", "NOT_FOUND"),
    ("sessions link --operator", "CreateSession", "done"),
    ("sessions revoke ses_none", "RevokeSession", "NOT_FOUND"),
    ("secrets --renew", "RenewSecrets", "done"),
    ("fees set --client 100 --freelancer 200", "SetFees", "done"),
    ("documents add {folder}/viewer.graphql", "AddDocuments", "done"),
    ("documents remove doc_none", "RemoveDocuments", "done"),
    ("connect pause nobody", "PauseCoupling", "CannotStart"),
    ("connect resume nobody", "ResumeCoupling", "CannotStart"),
    ("connect remove nobody", "RemoveCoupling", "CannotStart"),
    ("archive {folder}/archive", "Archive", "done"),
    ("reconcile", "Reconcile", "done"),
    ("restore --settle pay_none", "SettleLostOrder", "CannotStart"),
    ("restore --finish", "FinishRestore", "done"),
    ("restore --finish --declare", "DeclareRestore", "done"),
    ("erase ctr_none", "EraseWords", "NOT_FOUND"),
)
"""A line of each, as what it is noted, and how it ends here."""

BY_ITS_KEY: Final = {
    "demo", "listen", "trigger", "api", "contracts list", "contracts show", "mcp",
    "connect csv export", "connect csv import", "connect ics export", "connect ics import",
}  # fmt: skip
"""What is asked of the API stands there as an act of the key, if that is an operator's."""

WITH_A_TOOL: Final = {"connect github", "connect jira", "connect trac"}
"""What is noted once both sides have answered."""

BY_ITSELF: Final = {"up", "web", "worker", "connect run"}
"""Processes: what they do, nobody asks them to at the command line."""

ONLY_READS: Final = {
    "doctor", "schema", "explorer", "events", "audit", "backup", "acts",
    "accounts list", "accounts members list", "keys list", "sessions list", "fees show", "documents list", "connect list",
}  # fmt: skip
"""At most files of ours are written."""


def commands(parser: argparse.ArgumentParser, *words: str) -> Iterator[str]:
    """Everything that can be asked for, down to the last word that chooses it."""
    below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not below:
        yield " ".join(words)
    for one in below:
        for word, inner in one.choices.items():
            yield from commands(inner, *words, word)


def test_each_command_is_known_to_change_something_or_not() -> None:
    every = set(commands(make_parser()))
    changing = {one for one in every for line, _, _ in CHANGES if f"{line} ".startswith(f"{one} ")}
    assert sorted([*changing, *BY_ITS_KEY, *WITH_A_TOOL, *BY_ITSELF, *ONLY_READS]) == sorted(every)


async def test_each_command_that_changes_something_is_noted_with_its_end(
    database_clone: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "viewer.graphql").write_text("{ viewer { role } }")
    environ = clean_environment() | MINIMAL | {"DATABASE_URL": database_clone, "REDIS_URL": redis_url}
    connection = await asyncpg.connect(database_clone)
    try:
        for line, act, end in CHANGES:
            known = await connection.fetchval("SELECT coalesce(max(id), 0) FROM operator_acts")
            words = line.format(folder=tmp_path).split()
            code, said, remarked = await commanded(*words, environ=environ, folder=tmp_path)
            assert (code == 0) is (end == "done"), (line, said, remarked)
            rows = await connection.fetch(_SINCE, known)
            assert (act, end) in [(row["act"], row["end"]) for row in rows], (line, rows)
    finally:
        await connection.close()


_SINCE: Final = """
SELECT act, CASE WHEN ending.act_id IS NULL THEN 'unknown' ELSE coalesce(code, 'done') END AS end
FROM operator_acts AS one LEFT JOIN operator_act_ends AS ending ON ending.act_id = one.id WHERE id > $1
"""
