"""Loads a contract with everything that a decision needs, in one statement: one round trip and one snapshot.

What decisions don't need stays where it is: closed deposits and orders, submissions, former revisions, the log. Nested
rows come as arrays of records, which the driver decodes without JSON.
"""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from escrow import database, log
from escrow.access import AccountType
from escrow.agreement.state import Contract, Fees, Mediator, Party, Surroundings
from escrow.idempotency import StoredKey, stored
from escrow.references import Known, Names
from escrow.store.tables import CHANGE_REQUESTS, CONTRACTS, DEPOSITS, DISPUTES, MILESTONES, ORDERS, REFUNDS, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What to load: the contract of that id, or of the first of the other ids that is given; the named rows with it.

    For a contract that is still to be made it names the parties.
    """

    contract_id: str | None = None
    milestone_id: str | None = None
    milestone_ids: tuple[str, ...] = ()
    """More milestones, which need not be of the current revision; they lead to no contract."""
    deposit_id: str | None = None
    order_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    change_request_id: str | None = None
    client_id: str | None = None
    freelancer_id: str | None = None
    names: Names | None = None
    """What else is asked: what these names stand for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A contract, if there is one, and what a decision about it asks of the world, all of one moment."""

    contract: Contract | None
    version: int
    """The sequence of the contract's last event; 0 without a contract."""
    last_hash: str | None
    last_event_at: datetime | None
    erasures: int
    """How often words of the contract were erased."""
    around: Surroundings
    key: StoredKey | None
    is_beyond_us: bool
    """Whether its log has an event that this release can't fold."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """What the subject's names stand for, as far as they stand for anything."""


async def load(subject: Subject, *, account_id: str | None = None, key: str | None = None) -> Loaded:
    """The subject's contract and its surroundings, and the idempotency key of that account, if one was sent."""
    names = subject.names
    row = await database.fetch_row(
        _LOAD if names is None else _LOAD_NAMED,
        subject.contract_id,
        subject.milestone_id,
        subject.deposit_id,
        subject.order_id,
        account_id,
        key,
        log.VOCABULARY,
        *log.KNOWN,
        subject.client_id,
        subject.freelancer_id,
        subject.refund_id,
        subject.dispute_id,
        subject.change_request_id,
        list(subject.milestone_ids),
        *((names.system, list(names.external_ids)) if names is not None else ()),
    )
    if row is None:
        raise RuntimeError("the database has no row of deployment: run `earnest migrate`")
    return Loaded(
        contract=_contract(row),
        version=row["version"] or 0,
        last_hash=row["last_hash"],
        last_event_at=row["last_event_at"],
        erasures=row["erasures"] or 0,
        around=_surroundings(row),
        key=stored(row["input_sha256"], row["result"]),
        is_beyond_us=row["is_beyond_us"],
        known={name: Known(*thing) for name, *thing in row["known"]} if names is not None else {},
    )


async def lock(subject: Subject) -> None:
    """Wait until nobody else changes the subject's contract, and hold it until the transaction ends.

    What is loaded afterwards, by another statement, is what the holders before have left.
    """
    await database.fetch(
        _LOCK,
        subject.contract_id,
        subject.milestone_id,
        subject.deposit_id,
        subject.order_id,
        subject.refund_id,
        subject.dispute_id,
        subject.change_request_id,
    )


def _contract(row: database.Record) -> Contract | None:
    if row["id"] is None:
        return None
    found = sorted(map(MILESTONES.read, row["milestones"]), key=lambda milestone: milestone.position)
    return CONTRACTS.read(
        row,
        milestones=tuple(milestone for milestone in found if milestone.revision == row["revision"]),
        former={milestone.id: milestone for milestone in found if milestone.revision != row["revision"]},
        **loaded_parts(row),
    )


def loaded_parts(row: database.Record) -> dict[str, Any]:
    """What lies beside a contract's milestones, by the names that `Contract` gives it: of a row with `BESIDE_SQL`."""
    balances = {(account, currency): balance for account, currency, balance in row["balances"]}
    parts = {part.name: sorted(map(part.read, row[part.name]), key=attrgetter("id")) for part, _, _ in _BESIDE_PARTS}
    return {"balances": balances} | {name: {one.id: one for one in found} for name, found in parts.items()}


def _surroundings(row: database.Record) -> Surroundings:
    return Surroundings(
        now=row["now"],
        fees=Fees(row["client_bps_now"], row["freelancer_bps_now"]),
        client=party_of(row["client"]),
        freelancer=party_of(row["freelancer"]),
        share_member=row["share_member"],
        disputes_can_be_decided=row["disputes_can_be_decided"],
        mediator=mediator_of(row["mediator"]),
    )


def party_of(values: Sequence[Any] | None) -> Party | None:
    """The account of what `_party` selects, if it is there."""
    if values is None or values[0] is None:
        return None
    account_id, kind, is_operator, disabled = values
    return Party(account_id, AccountType(kind), is_operator, disabled)


def mediator_of(values: Sequence[Any] | None) -> Mediator | None:
    """The acting account of what `mediator_sql` selects, if it is a mediator."""
    return Mediator(*values) if values is not None and values[0] is not None else None


def nested_sql(part: Part[Any], *, either: Sequence[str], named: str | None = None) -> str:
    """An array of a table's rows of the contract: those that satisfy one of the conditions, and the one that is named.

    A scan for each, by its own index, rather than one condition with OR; conditions exclude each other.
    """
    select = f"SELECT ROW({part.select('one')}) FROM {part.table} AS one WHERE one.contract_id = contract.id"
    scans = [f"{select} AND {condition}" for condition in either]
    if named is not None:
        # A comparison with NULL is no reason to leave a row out.
        rest = " AND ".join(f"({condition}) IS NOT TRUE" for condition in either)
        scans.append(f"{select} AND {rest} AND {named}")
    return f"ARRAY({' UNION ALL '.join(scans)})"


def _party(account_id: str) -> str:
    return f"(SELECT ROW(id, type, is_operator, disabled_at IS NOT NULL) FROM accounts WHERE id = {account_id})"


_SUBJECT: Final = """
    $1, (SELECT contract_id FROM milestones WHERE id = {}), (SELECT contract_id FROM deposits WHERE id = {}),
    (SELECT contract_id FROM payment_orders WHERE id = {}), (SELECT contract_id FROM refund_requests WHERE id = {}),
    (SELECT contract_id FROM disputes WHERE id = {}), (SELECT contract_id FROM change_requests WHERE id = {})"""
"""The ways to the contract; the database goes only as far as the first that leads to one."""

_NAMED: Final = ("$2", "$3", "$4", "$12", "$13", "$14")
_LOCKED: Final = ("$2", "$3", "$4", "$5", "$6", "$7")

_CLIENT: Final = "coalesce(contract.client_id, $10)"
_FREELANCER: Final = "coalesce(contract.freelancer_id, $11)"


def share_member_sql(client: str, freelancer: str) -> str:
    """Whether two accounts, given as SQL, have a member in common."""
    return f"""EXISTS (
    SELECT FROM members AS one JOIN members AS other ON other.person = one.person
    WHERE one.account_id = {client} AND other.account_id = {freelancer}
    AND one.removed_at IS NULL AND other.removed_at IS NULL)"""


DECIDABLE_SQL: Final = """(
    EXISTS (SELECT FROM accounts WHERE is_mediator AND disabled_at IS NULL)
    OR EXISTS (
        SELECT FROM accounts AS operator JOIN api_keys ON api_keys.account_id = operator.id
        WHERE operator.is_operator AND 'disputes:decide' = ANY (api_keys.scopes) AND api_keys.revoked_at IS NULL
        AND (api_keys.expires_at IS NULL OR api_keys.expires_at > clock_timestamp())))"""


def mediator_sql(account: str, client: str, freelancer: str) -> str:
    """The acting account, given as SQL, if the operator appointed it as a mediator: what `mediator_of` takes."""
    return f"""(
        SELECT ROW(acting.id, acting.disabled_at IS NOT NULL,
            {share_member_sql("acting.id", client)} OR {share_member_sql("acting.id", freelancer)})
        FROM accounts AS acting WHERE acting.id = {account} AND acting.is_mediator)"""


_PLAN: Final = nested_sql(
    MILESTONES,
    either=["one.revision = contract.revision"],
    named="one.id = ANY (array_append($15::text[], $2))",
)
_BESIDE_PARTS: Final[tuple[tuple[Part[Any], Sequence[str], str], ...]] = (
    (DEPOSITS, ["one.state = 'STARTED'", "one.reversal IN ('OPEN', 'FORFEITED')"], "$3"),
    (ORDERS, ["one.state = 'STARTED'"], "$4"),
    (REFUNDS, ["one.state = 'OPEN'"], "$12"),
    (DISPUTES, ["one.state IN ('OPEN', 'MEDIATION')"], "$13"),
    (CHANGE_REQUESTS, ["one.state = 'OPEN'"], "$14"),
)
"""What is loaded beside the plan: which of a table's rows always, and the parameter that names one."""


def _beside(*, named: bool) -> str:
    arrays = [
        f"{nested_sql(part, either=either, named=f'one.id = {number}' if named else None)} AS {part.name}"
        for part, either, number in _BESIDE_PARTS
    ]
    balances = """ARRAY(
        SELECT ROW(account, currency, balance_minor) FROM balances
        WHERE contract_id = contract.id AND balance_minor <> 0) AS balances"""
    return ", ".join([*arrays, balances])


_BESIDE: Final = _beside(named=True)
BESIDE_SQL: Final = _beside(named=False)
"""What lies beside the milestones of a row `contract` and is still open, for `loaded_parts`."""

# A new contract is there only if its idempotency key has made it before.
_LOAD: Final = f"""
SELECT {CONTRACTS.select("contract")}, contract.version, contract.last_hash, contract.last_event_at,
    contract.erasures, greatest(clock_timestamp() + deployment.clock_offset, contract.last_event_at) AS now,
    deployment.client_fee_bps AS client_bps_now, deployment.freelancer_fee_bps AS freelancer_bps_now,
    {_PLAN} AS milestones,
    {_BESIDE},
    {_party(_CLIENT)} AS client,
    {_party(_FREELANCER)} AS freelancer,
    {share_member_sql(_CLIENT, _FREELANCER)} AS share_member,
    {DECIDABLE_SQL} AS disputes_can_be_decided,
    {mediator_sql("$5", _CLIENT, _FREELANCER)} AS mediator,
    key.input_sha256, key.result,
    {log.UNKNOWN_SQL.format(vocabulary="$7", types="$8", versions="$9", stream="contract.id")} AS is_beyond_us
FROM deployment
LEFT JOIN idempotency_keys AS key ON key.account_id = $5 AND key.key = $6
LEFT JOIN contracts AS contract ON contract.id = coalesce({_SUBJECT.format(*_NAMED)}, key.contract_id)
WHERE deployment.id = 1
"""

_LOAD_NAMED: Final = _LOAD.replace(
    "AS is_beyond_us\n",
    """AS is_beyond_us,
    ARRAY(
        SELECT ROW(external_id, contract_id, milestone_id, url) FROM external_references
        WHERE account_id = $5 AND system = $16 AND external_id = ANY ($17::text[])) AS known\n""",
)

_LOCK: Final = f"SELECT FROM contracts WHERE id = coalesce({_SUBJECT.format(*_LOCKED)}) FOR NO KEY UPDATE"
