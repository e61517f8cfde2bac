"""External references: what an account's programs call contracts and milestones, each under the name of its system.

They are the account's own notes beside a contract: seen by that account alone, no event of the log, and nothing that a
rule looks at. Within an account and a system a name stands for one thing, and a thing has one name. `resolved` and
`notes` are the part of an import that knows them; its write stores them with the plan.
"""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import asyncpg

from escrow import database, ids
from escrow.access import Actor, Role, Scope, may_see
from escrow.agreement import inputs
from escrow.agreement.authorisation import missing_scope
from escrow.agreement.commands import ImportMilestones
from escrow.agreement.state import Contract
from escrow.errors import Forbidden, InvalidInput, InvalidState, NotFound
from escrow.idempotency import Idempotency, replay, stored
from escrow.ids import Kind

TAKEN: Final = ("external_references_name_one_thing", "external_references_pkey")
"""The constraints that refuse a name which somebody else gave away at the same time."""

SYSTEMS_MAX: Final = 20
"""The most references that one account keeps on one thing, one for each system."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names in one system; whose they are is the caller's to say."""

    system: str
    external_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        # What no row can have never reaches SQL, which may not even be able to say it.
        sayable = tuple(name for name in self.external_ids if name.isprintable())
        object.__setattr__(self, "external_ids", sayable)
        object.__setattr__(self, "system", self.system if self.system.isprintable() else "")


@dataclass(frozen=True, slots=True)
class Known:
    """What a name stands for."""

    contract_id: str
    milestone_id: str | None
    url: str | None

    @property
    def subject_id(self) -> str:
        return self.milestone_id or self.contract_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an account calls a contract or a milestone in one system."""

    subject_id: str
    system: str
    external_id: str
    url: str | None


# --- as part of an import -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notes:
    """What an import writes beside the plan: names that are new, and those that get another address or milestone.

    Each is the name, the milestone, and the address.
    """

    account_id: str
    system: str
    made: list[tuple[str, str, str | None]] = field(default_factory=list)
    changed: list[tuple[str, str, str | None]] = field(default_factory=list)

    def arguments(self) -> list[object]:
        """The arguments of `notes_sql`."""
        columns = [[row[column] for row in rows] for rows in (self.made, self.changed) for column in range(3)]
        return [self.account_id, self.system, *columns]


def resolved(command: ImportMilestones, known: Mapping[str, Known], contract: Contract | None) -> ImportMilestones:
    """The command with what its names stand for: the milestone of the current plan, or what else has the name.

    The name of a milestone of an earlier revision is free again.
    """
    plan = {milestone.id for milestone in contract.milestones} if contract is not None else set()
    rows = []
    for row in command.rows:
        thing = known.get(row.external_id)
        if thing is not None and thing.milestone_id in plan:
            rows.append(replace(row, milestone_id=thing.milestone_id))
        elif thing is not None and (thing.milestone_id is None or thing.contract_id != command.contract_id):
            rows.append(replace(row, taken_by=thing.subject_id))
        else:
            rows.append(row)
    return replace(command, rows=tuple(rows))


def notes(command: ImportMilestones, known: Mapping[str, Known], *, account_id: str | None) -> Notes | None:
    """What a resolved import has to write of its names, if anything."""
    found = Notes(account_id or "", command.system)
    for row in command.rows:
        thing = known.get(row.external_id)
        if thing is None:
            found.made.append((row.external_id, row.milestone_id, row.url))
        elif thing.milestone_id != row.milestone_id or row.url not in (None, thing.url):
            found.changed.append((row.external_id, row.milestone_id, row.url or thing.url))
    return found if found.made or found.changed else None


def notes_sql(*, guard: str, first: int) -> str:
    """CTEs that write the names of a contract's milestones, if the CTE `guard` has its one row, that of the contract.

    Their parameters are `Notes.arguments`, numbered from `first` on.
    """
    account, system, *columns = (f"${number}" for number in range(first, first + 8))
    made = ", ".join(f"{column}::text[]" for column in columns[:3])
    changed = ", ".join(f"{column}::text[]" for column in columns[3:])
    return f"""
    named AS (
        INSERT INTO external_references (
            account_id, system, external_id, subject_id, milestone_id, url, contract_id)
        SELECT {account}, {system}, given.name, given.milestone_id, given.milestone_id, given.url, {guard}.id
        FROM {guard}, unnest({made}) AS given (name, milestone_id, url)
    ), renamed AS (
        UPDATE external_references AS reference
        SET subject_id = given.milestone_id, milestone_id = given.milestone_id, url = given.url
        FROM {guard}, unnest({changed}) AS given (name, milestone_id, url)
        WHERE reference.account_id = {account} AND reference.system = {system} AND reference.external_id = given.name
            AND reference.contract_id = {guard}.id
    )"""


# --- one by one -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What came of setting or removing a reference; `reference` is what is there now, if anything."""

    contract_id: str
    milestone_id: str | None
    reference: Reference | None
    replayed: bool = False


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
    while True:
        found = await _found(subject_id, by, system, external_id, idempotency)
        if found.replayed:
            return found.answer()
        inputs.external_system(system)
        inputs.external_id(external_id)
        if url is not None:
            inputs.link(url, field="url")
        found.check_free()
        wanted = Reference(subject_id=subject_id, system=system, external_id=external_id, url=url)
        if wanted == found.here and idempotency is None:
            return found.answer()
        if found.here is None and found.systems >= SYSTEMS_MAX:
            raise InvalidInput(f"At most {SYSTEMS_MAX} systems have a name for one thing.", field="system")
        try:
            await _set(found, wanted, by, idempotency)
        except asyncpg.UniqueViolationError as error:
            # Another call took the name or the key a moment ago: reading again finds it. Anything else is a fault.
            if error.constraint_name not in ("idempotency_keys_pkey", *TAKEN):
                raise
            continue
        return replace(found.answer(), reference=wanted)


async def _set(found: _Found, wanted: Reference, by: Actor, idempotency: Idempotency | None) -> None:
    arguments = (*found.arguments(by, idempotency), wanted.system, wanted.external_id, wanted.url)
    if found.holder_is_dead:
        # One statement can't take a name away and give it again: its parts see the same rows.
        async with database.transaction():
            await database.execute(_FREE, by.account_id, wanted.system, wanted.external_id, found.holder)
            await database.execute(_SET, *arguments)
    else:
        await database.execute(_SET, *arguments)


async def remove_reference(subject_id: str, *, by: Actor, system: str, idempotency: Idempotency | None = None) -> Noted:
    """Forget what a contract or a milestone is called in `system`; forgetting what has no name there changes nothing.

    Refuses with `NotFound` what the actor may not see, with `Forbidden` viewers and keys without `contracts:write`.
    """
    while True:
        found = await _found(subject_id, by, system, None, idempotency)
        if found.replayed:
            return found.answer()
        inputs.external_system(system)
        if found.here is None and idempotency is None:
            return found.answer()
        try:
            await database.execute(_REMOVE, *found.arguments(by, idempotency), system)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "idempotency_keys_pkey":
                raise
            continue
        return replace(found.answer(), reference=None)


@dataclass(frozen=True, slots=True)
class _Found:
    """A contract or a milestone that the actor sees, what it is called in a system, and who else has the name."""

    contract_id: str
    milestone_id: str | None
    here: Reference | None
    systems: int
    holder: str | None
    holder_is_dead: bool
    replayed: bool

    def check_free(self) -> None:
        if self.holder not in (None, self.milestone_id or self.contract_id) and not self.holder_is_dead:
            raise InvalidState(
                f"It stands for {self.holder} already.", field="externalId", details={"subjectId": self.holder}
            )

    def answer(self) -> Noted:
        return Noted(
            contract_id=self.contract_id,
            milestone_id=self.milestone_id,
            reference=self.here,
            replayed=self.replayed,
        )

    def arguments(self, by: Actor, idempotency: Idempotency | None) -> list[object]:
        return [
            by.account_id,
            self.contract_id,
            self.milestone_id,
            idempotency.key if idempotency else None,
            idempotency.input_sha256 if idempotency else None,
        ]


async def _found(
    subject_id: str, by: Actor, system: str, external_id: str | None, idempotency: Idempotency | None
) -> _Found:
    row = None
    if ids.kind_of(subject_id) in (Kind.CONTRACT, Kind.MILESTONE):
        said = Names(system, (external_id or "",))
        name = said.external_ids[0] if said.external_ids else ""
        key = idempotency.key if idempotency else None
        row = await database.fetch_row(_FIND, subject_id, by.account_id, said.system, name, key)
    if row is None or not may_see(
        by, contract_id=row["contract_id"], client_id=row["client_id"], freelancer_id=row["freelancer_id"]
    ):
        raise NotFound(f"There is no contract or milestone {subject_id}.", field="subjectId")
    if by.account_id is None or not by.role.includes(Role.MEMBER):
        raise Forbidden(f"This needs the role {Role.MEMBER}; yours is {by.role}.", details={"role": Role.MEMBER.value})
    if refusal := missing_scope(by, Scope.CONTRACTS_WRITE):
        raise refusal
    here = None
    if row["external_id"] is not None:
        here = Reference(subject_id=subject_id, system=system, external_id=row["external_id"], url=row["url"])
    return _Found(
        row["contract_id"],
        row["milestone_id"],
        here,
        row["systems"],
        row["holder"],
        bool(row["holder_is_dead"]),
        replay(idempotency, stored(row["input_sha256"], row["result"])) is not None,
    )


_FIND: Final = """
SELECT contract.id AS contract_id, contract.client_id, contract.freelancer_id, milestone.id AS milestone_id,
    here.external_id, here.url, holder.subject_id AS holder, former.revision < its.revision AS holder_is_dead,
    (SELECT count(*) FROM external_references WHERE account_id = $2 AND subject_id = $1) AS systems,
    used.input_sha256, used.result
FROM (VALUES ($1::text)) AS asked (id)
LEFT JOIN milestones AS milestone ON milestone.id = asked.id
JOIN contracts AS contract ON contract.id = coalesce(milestone.contract_id, asked.id)
LEFT JOIN external_references AS here ON (here.account_id, here.subject_id, here.system) = ($2, asked.id, $3)
LEFT JOIN external_references AS holder ON (holder.account_id, holder.system, holder.external_id) = ($2, $3, $4)
LEFT JOIN milestones AS former ON former.id = holder.milestone_id
LEFT JOIN contracts AS its ON its.id = holder.contract_id
LEFT JOIN idempotency_keys AS used ON used.account_id = $2 AND used.key = $5
"""

_KEPT: Final = """
kept AS (
    INSERT INTO idempotency_keys (account_id, key, input_sha256, result, contract_id)
    SELECT $1, $4, $5, jsonb_build_object('contract_id', $2::text), $2 WHERE $4::text IS NOT NULL
)"""

_SET: Final = f"""
WITH {_KEPT}
INSERT INTO external_references AS reference (
    account_id, contract_id, milestone_id, subject_id, system, external_id, url)
VALUES ($1, $2, $3, coalesce($3, $2), $6, $7, $8)
ON CONFLICT (account_id, subject_id, system) DO UPDATE
SET external_id = EXCLUDED.external_id, url = EXCLUDED.url, set_at = EXCLUDED.set_at
"""

_FREE: Final = """
DELETE FROM external_references WHERE account_id = $1 AND system = $2 AND external_id = $3 AND subject_id = $4
"""

_REMOVE: Final = f"""
WITH {_KEPT}
DELETE FROM external_references WHERE account_id = $1 AND subject_id = coalesce($3, $2) AND system = $6
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
    names = Names(system, (external_id,))
    if not names.external_ids:
        return None
    found: str | None = await database.fetch_value(_SUBJECT, account_id, names.system, external_id)
    return found


_OF: Final = """
SELECT reference.subject_id, reference.system, reference.external_id, reference.url
FROM unnest($2::text[]) AS asked (id) CROSS JOIN LATERAL (
    SELECT * FROM external_references WHERE account_id = $1 AND subject_id = asked.id ORDER BY system OFFSET 0
) AS reference
"""

_SUBJECT: Final = """
SELECT subject_id FROM external_references WHERE account_id = $1 AND system = $2 AND external_id = $3
"""
