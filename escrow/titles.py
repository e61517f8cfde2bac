"""Keeps the words by which the titles of contracts and milestones are found, and says what to look for.

What is kept and what is sought go through the same code (`escrow.writing.words`). A command writes the words of the titles
that it changes with everything else; whatever else changes a title, such as an erasure, has a trigger take its words away.
`EDITION` tells by which rules a row was made: migrating makes all others anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from escrow import database, writing
from escrow.agreement.state import Contract
from escrow.store.shapes import Row

EDITION: Final = 2
"""Counts up whenever the words of some title come out otherwise, also by a newer table of Unicode. 0 is what SQL made; 1 left
letters such as ł as they are."""

BATCH: Final = 500
"""So many titles are made anew at once; their contracts wait meanwhile."""


def tsquery(kind: str, owner: str, said: str) -> str:
    """What finds the titles, of what begins with `kind` and belongs to `owner`, that have a word beginning with each that
    was said. `owner` is nobody for whoever sees all. Where nothing was said nothing is found.
    """
    lexemes = (f"{kind}:{owner}:{word}" for word in writing.words(said, sought=True))
    return " & ".join(f"'{_quoted(lexeme)}':*" for lexeme in lexemes)


def _quoted(lexeme: str) -> str:
    return lexeme.replace("\\", "\\\\").replace("'", "''")


def row(subject_id: str, client_id: str, freelancer_id: str, title: str) -> Row:
    """What is kept of a title, with its words separated by spaces."""
    return {
        "id": subject_id,
        "client": client_id,
        "freelancer": freelancer_id,
        "title": title,
        "words": " ".join(writing.words(title)),
    }


def changed(before: Contract | None, after: Contract) -> list[Row]:
    """The rows of the titles that are others than before, each with its contract."""
    known = _titles(before) if before is not None else {}
    return [
        {"contract_id": after.id} | row(subject_id, after.client_id, after.freelancer_id, title)
        for subject_id, title in _titles(after).items()
        if known.get(subject_id) != title
    ]


def _titles(contract: Contract) -> Mapping[str, str]:
    return {contract.id: contract.title, **{one.id: one.title for one in contract.milestones}}


def keep_sql(parameter: str, *, guard: str = "") -> str:
    """Writes rows, given as JSON, of those contracts that the CTE `guard` has; without one, all of them."""
    joined = f"JOIN {guard} ON {guard}.id = given.contract_id" if guard else ""
    return f"""
        INSERT INTO titles (contract_id, subject_id, words, title_hash, edition)
        SELECT given.contract_id, given.id,
            title_lexemes(left(given.id, 3), client, freelancer, string_to_array(given.words, ' ')),
            hashtextextended(title, 0), {EDITION}
        FROM json_to_recordset({parameter}::json) AS given (
            contract_id text, id text, client text, freelancer text, title text, words text) {joined}
        ON CONFLICT (contract_id, subject_id) DO UPDATE
        SET words = EXCLUDED.words, title_hash = EXCLUDED.title_hash, edition = EXCLUDED.edition"""  # noqa: S608


async def renew() -> int:
    """Make the words of some titles of another edition anew, in the caller's transaction; answers how many it were.

    Their contracts are locked first, as whatever changes a title does, so that no words come back that were erased.
    """
    stale = [one["subject_id"] for one in await database.fetch(_STALE, EDITION, BATCH)]
    if stale:
        await database.execute(_LOCK, stale)
        found = await database.fetch(_FOUND, stale)
        rows = [
            {"contract_id": one["contract_id"]} | row(one["id"], one["client_id"], one["freelancer_id"], one["title"])
            for one in found
        ]
        if rows:
            await database.execute(keep_sql("$1"), orjson.dumps(rows).decode())
        await database.execute(_GONE, sorted({*stale} - {str(one["id"]) for one in rows}))
    return len(stale)


_STALE: Final = "SELECT subject_id FROM titles WHERE edition <> $1 LIMIT $2"
_LOCK: Final = """
SELECT FROM contracts WHERE id = ANY (
    SELECT unnest($1::text[]) UNION SELECT contract_id FROM milestones WHERE id = ANY ($1::text[]))
ORDER BY id FOR SHARE
"""
_FOUND: Final = """
SELECT id AS contract_id, id, client_id, freelancer_id, title FROM contracts WHERE id = ANY ($1::text[])
UNION ALL SELECT contract_id, id, client_id, freelancer_id, title FROM milestones WHERE id = ANY ($1::text[])
"""
_GONE: Final = "DELETE FROM titles WHERE subject_id = ANY ($1::text[])"
