"""Makes the parts of an account's two statements, the read and the write, that are about sessions.

A command makes or opens one session at most, and may end many. Secrets are written as digests and never read here.
"""

# ruff: noqa: S608 - only our own columns, names of CTEs and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from escrow.accounts.state import Account, Session
from escrow.accounts.tables import SESSIONS
from escrow.accounts.tokens import Token


def load_sql(*, account: str, wanted: str, named: str, now: str) -> str:
    """An expression: the sessions of the row `account` that live, links that wait among them, and the one `named`, if they are
    `wanted`."""
    return f"""ARRAY(
        SELECT ROW({SESSIONS.select("session")}) FROM sessions AS session
        WHERE session.account_id = {account}.id AND {wanted}
        AND (session.ended_at IS NULL AND session.expires_at > {now} OR session.id = {named}::text))"""


def read(rows: Iterable[Sequence[Any]]) -> dict[str, Session]:
    """What the expression gave, by id."""
    return {one.id: one for one in map(SESSIONS.read, rows)}


PARAMETERS: Final = 3


def write_sql(*, guard: str, first: int) -> str:
    """A CTE that writes the changed sessions, if `guard` has its one row; the parameters are `arguments`.

    The digests are those of the one session that is new or newly open; the others keep theirs.
    """
    rows, secret, code = (f"${number}" for number in range(first, first + PARAMETERS))
    assigned = ", ".join(f"{column} = EXCLUDED.{column}" for column in (*SESSIONS.updated, "secret_sha256"))
    return f"""in_sessions AS (
    INSERT INTO sessions ({", ".join(SESSIONS.columns)}, secret_sha256, code_sha256)
    SELECT given.*, coalesce({secret}::bytea, known.secret_sha256), coalesce({code}::bytea, known.code_sha256)
    FROM {guard} JOIN json_to_recordset({rows}::json) AS given ({SESSIONS.typed(SESSIONS.columns)})
        ON given.account_id = {guard}.id
    LEFT JOIN LATERAL (SELECT secret_sha256, code_sha256 FROM sessions WHERE id = given.id) AS known ON true
    ON CONFLICT (id) DO UPDATE SET {assigned}
)"""


def arguments(before: Account | None, after: Account, token: Token | None) -> list[object]:
    """The arguments of `write_sql`; `token` is that of the one session which is new in `after`, or was opened."""
    known = before.sessions if before is not None else {}
    changed = [one for one in after.sessions.values() if known.get(one.id) != one]
    digest = token.digest if token is not None and changed else None
    is_link = any(one.is_waiting and one.id not in known for one in changed)
    rows = orjson.dumps([SESSIONS.row(one, after, {}) for one in changed]).decode()
    return [rows, digest, digest if is_link else None]
