"""Keeps external references: what an account's programs call contracts and milestones, each under the name of its system.

They are the account's own notes beside a contract: seen by that account alone, no event of the log, and nothing that a
rule looks at. Within an account and a system a name stands for one thing, and a thing has one name. An import looks its
names up and keeps them by itself (`escrow.store.imports`).
"""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from escrow import database, ids, writing
from escrow.access import Actor, Role, Scope, may_see
from escrow.agreement import inputs
from escrow.agreement.authorisation import missing_role, missing_scope
from escrow.errors import Forbidden, InvalidInput, InvalidState, NotFound
from escrow.idempotency import COLUMNS_SQL, Idempotency, join_sql, replay, retry_on_conflict, store_sql, stored
from escrow.idempotency import arguments as key_arguments
from escrow.ids import Kind

CONFLICTS: Final = ("external_references_name_one_thing", "external_references_pkey")
"""The constraints that refuse a name which somebody else gave away at the same time."""

SYSTEMS_MAX: Final = 20
"""The most references that one account keeps on one thing, one for each system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an account calls a contract or a milestone in one system."""

    subject_id: str
    system: str
    external_id: str
    url: str | None


def sayable(text: str) -> str:
    """A name that reaches SQL: nothing instead of one that no row can have, which SQL may not even be able to say."""
    return text if writing.fault_of_line(text) is None else ""


# --- one by one -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What came of setting or removing a reference; `reference` is what is there now, if anything."""

    contract_id: str
    milestone_id: str | None
    reference: Reference | None
    replayed: bool = False


@retry_on_conflict(*CONFLICTS)
async def set_reference(
    subject_id: str,
    *,
    by: Actor,
    system: str,
    external_id: str,
    url: str | None = None,
    idempotency: Idempotency | None = None,
) -> Noted:
    """Call a contract or a milestone `external_id` in `system`, instead of what it was called there before.

    The name of a milestone of an earlier revision is free again. Refuses with `NotFound` what the actor may not see, with
    `Forbidden` viewers and keys without `contracts:write`, with `InvalidState` a name that stands for something else, and
    with `InvalidInput` what is no name, and more than `SYSTEMS_MAX` systems on one thing.
    """
    found = await _found(subject_id, by, system, external_id, idempotency)
    if found.noted.replayed:
        return found.noted
    inputs.external_system(system)
    inputs.external_id(external_id)
    if url is not None:
        inputs.link(url, field="url")
    found.check_free()
    wanted = Reference(subject_id=subject_id, system=system, external_id=external_id, url=url)
    if wanted == found.noted.reference and idempotency is None:
        return found.noted
    if found.noted.reference is None and found.systems >= SYSTEMS_MAX:
        raise InvalidInput(f"At most {SYSTEMS_MAX} systems have a name for one thing.", field="system")
    await _set(found, wanted, by, idempotency)
    return replace(found.noted, reference=wanted)


async def _set(found: _Found, wanted: Reference, by: Actor, idempotency: Idempotency | None) -> None:
    arguments = (*found.arguments(by, idempotency), wanted.system, wanted.external_id, wanted.url)
    if found.holder_is_dead:
        # One statement can't take a name away and give it again: its parts see the same rows.
        async with database.transaction():
            await database.execute(_FREE, by.account_id, wanted.system, wanted.external_id, found.holder)
            await database.execute(_SET, *arguments)
    else:
        await database.execute(_SET, *arguments)


@retry_on_conflict()
async def remove_reference(subject_id: str, *, by: Actor, system: str, idempotency: Idempotency | None = None) -> Noted:
    """Forget what a contract or a milestone is called in `system`; forgetting what has no name there changes nothing.

    Refuses with `NotFound` what the actor may not see, with `Forbidden` viewers and keys without `contracts:write`.
    """
    found = await _found(subject_id, by, system, None, idempotency)
    if found.noted.replayed:
        return found.noted
    inputs.external_system(system)
    if found.noted.reference is None and idempotency is None:
        return found.noted
    await database.execute(_REMOVE, *found.arguments(by, idempotency), system)
    return replace(found.noted, reference=None)


@dataclass(frozen=True, slots=True)
class _Found:
    """A contract or a milestone that the actor sees, what it is called in a system, and who else has the name."""

    noted: Noted
    systems: int
    holder: str | None
    holder_is_dead: bool

    def check_free(self) -> None:
        if self.holder not in (None, self.noted.milestone_id or self.noted.contract_id) and not self.holder_is_dead:
            raise InvalidState(
                f"It stands for {self.holder} already.", field="externalId", details={"subjectId": self.holder}
            )

    def arguments(self, by: Actor, idempotency: Idempotency | None) -> list[object]:
        """Those of `_SET` and `_REMOVE` that tell whose it is, what it is about, and the key."""
        kept = key_arguments(by, idempotency, {"contract_id": self.noted.contract_id})
        return [by.account_id, self.noted.contract_id, self.noted.milestone_id, *kept]


async def _found(
    subject_id: str, by: Actor, system: str, external_id: str | None, idempotency: Idempotency | None
) -> _Found:
    row = None
    if ids.kind_of(subject_id) in (Kind.CONTRACT, Kind.MILESTONE):
        key = idempotency.key if idempotency else None
        names = (sayable(system), sayable(external_id or ""))
        row = await database.fetch_row(_FIND, subject_id, by.account_id, *names, key)
    if row is None or not may_see(
        by,
        contract_id=row["contract_id"],
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        is_mediator=by.is_mediator,
        was_disputed=row["was_disputed"],
    ):
        raise NotFound(f"There is no contract or milestone {subject_id}.", field="subjectId")
    if by.account_id is None:
        raise Forbidden("Only an account has external references.")
    if refusal := missing_role(by, Role.MEMBER) or missing_scope(by, Scope.CONTRACTS_WRITE):
        raise refusal
    here = None
    if row["external_id"] is not None:
        here = Reference(subject_id=subject_id, system=system, external_id=row["external_id"], url=row["url"])
    noted = Noted(
        contract_id=row["contract_id"],
        milestone_id=row["milestone_id"],
        reference=here,
        replayed=replay(idempotency, stored(row)) is not None,
    )
    return _Found(noted, row["systems"], row["holder"], bool(row["holder_is_dead"]))


_FIND: Final = f"""
SELECT contract.id AS contract_id, contract.client_id, contract.freelancer_id, contract.was_disputed,
    milestone.id AS milestone_id,
    here.external_id, here.url, holder.subject_id AS holder, former.revision < its.revision AS holder_is_dead,
    (SELECT count(*) FROM external_references WHERE account_id = $2 AND subject_id = $1) AS systems,
    {COLUMNS_SQL}
FROM (VALUES ($1::text)) AS asked (id)
LEFT JOIN milestones AS milestone ON milestone.id = asked.id
JOIN contracts AS contract ON contract.id = coalesce(milestone.contract_id, asked.id)
LEFT JOIN external_references AS here ON (here.account_id, here.subject_id, here.system) = ($2, asked.id, $3)
LEFT JOIN external_references AS holder ON (holder.account_id, holder.system, holder.external_id) = ($2, $3, $4)
LEFT JOIN milestones AS former ON former.id = holder.milestone_id
LEFT JOIN contracts AS its ON its.id = holder.contract_id
{join_sql(account="$2", key="$5")}
"""

_KEPT: Final = store_sql(first=4, contract_id="$2::text")

_SET: Final = f"""
WITH {_KEPT}
INSERT INTO external_references AS reference (
    account_id, contract_id, milestone_id, subject_id, system, external_id, url)
VALUES ($1, $2, $3, coalesce($3, $2), $8, $9, $10)
ON CONFLICT (account_id, subject_id, system) DO UPDATE
SET external_id = EXCLUDED.external_id, url = EXCLUDED.url, set_at = EXCLUDED.set_at
"""

_FREE: Final = """
DELETE FROM external_references WHERE account_id = $1 AND system = $2 AND external_id = $3 AND subject_id = $4
"""

_REMOVE: Final = f"""
WITH {_KEPT}
DELETE FROM external_references WHERE account_id = $1 AND subject_id = coalesce($3, $2) AND system = $8
"""


# --- for reading ----------------------------------------------------------------------------------------------------


async def references_of(account_id: str | None, subject_ids: Collection[str]) -> dict[str, list[Reference]]:
    """What the account calls each of these contracts and milestones, by system; one statement."""
    rows = await database.fetch(_OF, account_id, sorted(set(subject_ids)))
    found: dict[str, list[Reference]] = {}
    for row in rows:
        found.setdefault(row["subject_id"], []).append(Reference(**row))
    return found


async def subject_of(account_id: str | None, system: str, external_id: str) -> str | None:
    """The contract or milestone that the account calls so; whether it may be seen is the caller's question."""
    found: str | None = await database.fetch_value(_SUBJECT, account_id, sayable(system), sayable(external_id))
    return found


_OF: Final = f"""
SELECT reference.subject_id, reference.system, reference.external_id, reference.url
FROM unnest({database.unseen("$2::text[]")}) AS asked (id) CROSS JOIN LATERAL (
    SELECT * FROM external_references WHERE account_id = $1 AND subject_id = asked.id ORDER BY system OFFSET 0
) AS reference
"""

_SUBJECT: Final = """
SELECT subject_id FROM external_references WHERE account_id = $1 AND system = $2 AND external_id = $3
"""
