"""Keeps the words by which the titles of contracts and milestones are found, and says what to look for.

What is kept and what is sought go through the same code (`escrow.writing.words`). A command writes the words of the titles
that it changes with everything else; whatever else changes a title, such as an erasure, has a trigger take its words away.
`EDITION` tells by which rules a row was made: migrating makes all others anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from escrow import database, writing
from escrow.agreement.state import Contract

EDITION: Final = 1
"""Counts up whenever the words of some title come out otherwise, also by a newer table of Unicode. 0 is what SQL made."""

PARAMETERS: Final = 5
BATCH: Final = 500
"""So many titles are made anew at once; their contracts wait meanwhile."""

Row = tuple[str, str, str, str, str]
"""The subject, its two parties, the title, and its words with spaces between them."""


def tsquery(kind: str, owner: str, said: str) -> str:
    """What finds the titles, of what begins with `kind` and belongs to `owner`, that have a word beginning with each that
    was said. `owner` is nobody for whoever sees all. Where nothing was said nothing is found.
    """
    lexemes = (f"{kind}:{owner}:{word}" for word in writing.words(said, sought=True))
    return " & ".join(f"'{_quoted(lexeme)}':*" for lexeme in lexemes)


def _quoted(lexeme: str) -> str:
    return lexeme.replace("\\", "\\\\").replace("'", "''")


def row(subject_id: str, client_id: str, freelancer_id: str, title: str) -> Row:
    """What is kept of a title."""
    return (subject_id, client_id, freelancer_id, title, " ".join(writing.words(title)))


def changed(before: Contract | None, after: Contract) -> list[Row]:
    """The rows of the titles that are others than before."""
    known = _titles(before) if before is not None else {}
    return [
        row(subject_id, after.client_id, after.freelancer_id, title)
        for subject_id, title in _titles(after).items()
        if known.get(subject_id) != title
    ]


def _titles(contract: Contract) -> Mapping[str, str]:
    return {contract.id: contract.title, **{one.id: one.title for one in contract.milestones}}


def arguments(rows: Sequence[Row]) -> list[list[str]]:
    """The rows as columns, for `keep_sql`."""
    return [list(column) for column in zip(*rows, strict=True)]


def keep_sql(*, first: int, guard: str = "") -> str:
    """Writes rows, given as columns from parameter `first` on, if there is a row of the CTE `guard`."""
    columns = ", ".join(f"${number}::text[]" for number in range(first, first + PARAMETERS))
    return f"""
        INSERT INTO titles (subject_id, words, title_hash, edition)
        SELECT given.id, title_lexemes(left(given.id, 3), client, freelancer, string_to_array(given.words, ' ')),
            hashtextextended(title, 0), {EDITION}
        FROM {f"{guard}, " if guard else ""}unnest({columns}) AS given (id, client, freelancer, title, words)
        ON CONFLICT (subject_id) DO UPDATE
        SET words = EXCLUDED.words, title_hash = EXCLUDED.title_hash, edition = EXCLUDED.edition"""  # noqa: S608


async def renew() -> int:
    """Make the words of some titles of another edition anew, in the caller's transaction; answers how many it were.

    Their contracts are locked first, as whatever changes a title does, so that no words come back that were erased.
    """
    stale = [one["subject_id"] for one in await database.fetch(_STALE, EDITION, BATCH)]
    if stale:
        await database.execute(_LOCK, stale)
        found = await database.fetch(_FOUND, stale)
        rows = [row(one["id"], one["client_id"], one["freelancer_id"], one["title"]) for one in found]
        if rows:
            await database.execute(keep_sql(first=1), *arguments(rows))
        await database.execute(_GONE, sorted({*stale} - {one[0] for one in rows}))
    return len(stale)


_STALE: Final = "SELECT subject_id FROM titles WHERE edition <> $1 LIMIT $2"
_LOCK: Final = """
SELECT FROM contracts WHERE id = ANY (
    SELECT unnest($1::text[]) UNION SELECT contract_id FROM milestones WHERE id = ANY ($1::text[]))
ORDER BY id FOR SHARE
"""
_FOUND: Final = """
SELECT id, client_id, freelancer_id, title FROM contracts WHERE id = ANY ($1::text[])
UNION ALL SELECT id, client_id, freelancer_id, title FROM milestones WHERE id = ANY ($1::text[])
"""
_GONE: Final = "DELETE FROM titles WHERE subject_id = ANY ($1::text[])"
