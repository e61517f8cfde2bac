"""Loads a contract with everything that a decision needs, in one statement: one round trip and one snapshot.

What decisions don't need stays where it is: closed deposits and orders, submissions, former revisions, the log. Nested
rows come as arrays of records, which the driver decodes without JSON.
"""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import Enum, auto
from functools import cache
from operator import attrgetter
from typing import Any, Final

from escrow import database, log, terms
from escrow.access import AccountType
from escrow.agreement.state import Contract, Fees, Mediator, Party, Surroundings
from escrow.idempotency import COLUMNS_SQL, join_sql, stored
from escrow.store import whereabouts
from escrow.store.tables import CHANGE_REQUESTS, CONTRACTS, DEPOSITS, DISPUTES, MILESTONES, ORDERS, REFUNDS, Part
from escrow.stream import Fragment
from escrow.stream import Loaded as LoadedStream
from escrow.values import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What to load: the contract of that id, or of the first of the other ids that is given; the named rows with it.

    For a contract that is still to be made it names the parties.
    """

    contract_id: str | None = None
    milestone_id: str | None = None
    deposit_id: str | None = None
    order_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    change_request_id: str | None = None
    client_id: str | None = None
    freelancer_id: str | None = None
    milestone_ids: tuple[str, ...] = ()
    """More milestones, which need not be of the current revision; they lead to no contract."""

    @property
    def arguments(self) -> list[object]:
        """Its fields: the first parameters of the statements."""
        return list(_all_of(self))

    @property
    def way(self) -> str | None:
        """The one thing that leads to the contract, if the subject doesn't name that."""
        if self.contract_id is not None:
            return None
        given = [way for way in _ways_of(self) if way is not None]
        return given[0] if len(given) == 1 else None


_WAYS: Final = 7

_NAMES: Final = [one.name for one in fields(Subject)]
_all_of: Final[Callable[[Subject], tuple[object, ...]]] = attrgetter(*_NAMES)
_ways_of: Final[Callable[[Subject], tuple[str | None, ...]]] = attrgetter(*_NAMES[1:_WAYS])
_parts_of: Final[Callable[[Subject], tuple[str | None, ...]]] = attrgetter(*_NAMES[2:_WAYS])
_NO_PARTS: Final = (None,) * (_WAYS - 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(LoadedStream[Contract, Surroundings]):
    """A contract, if there is one, and what a decision about it asks of the world, all of one moment."""

    erasures: int
    """How often words of the contract were erased."""
    is_beyond_us: bool
    """Whether its log has an event that this release can't fold."""
    beside: Sequence[database.Record] = ()
    """The rows that were looked up with it."""


async def load(
    subject: Subject,
    *,
    account_id: str | None = None,
    key: str | None = None,
    beside: Fragment | None = None,
    sees_all: bool = True,
    within: Sequence[str] | None = None,
) -> Loaded:
    """The subject's contract and its surroundings, and the idempotency key of that account, if one was sent.

    A contract that the account may not see isn't there, unless it `sees_all`; nor is one that is not `within` a key's limit.
    `beside` is an expression whose array of rows is read with it.
    """
    way = subject.way
    if (known := whereabouts.contract_of(way)) is not None:
        subject = replace(subject, contract_id=known)
    statement = _LOADS[_named_by(subject), key is not None]
    row = await database.fetch_row(
        statement if beside is None else _load_with(statement, beside.sql),
        *subject.arguments,
        account_id,
        key,
        log.VOCABULARY,
        log.READABLE,
        sees_all,
        within,
        *(beside.arguments if beside is not None else ()),
    )
    if row is None:
        raise RuntimeError("the database has no row of deployment: run `earnest migrate`")
    loaded = _loaded(row, beside=row["beside"] if beside is not None else ())
    if loaded.key is None:  # what the key was used for may be another contract than the one that was asked for
        whereabouts.remember(way, row["id"])
    return loaded


async def load_all(contract_ids: Sequence[str]) -> list[Loaded]:
    """Those of the contracts that are there, for commands of nobody's account; one statement."""
    rows = await database.fetch(_LOAD_ALL, contract_ids, log.VOCABULARY, log.READABLE)
    return [_loaded(row) for row in rows]


async def lock(subject: Subject) -> None:
    """Wait until nobody else changes the subject's contract, and hold it until the transaction ends.

    What is loaded afterwards, by another statement, is what the holders before have left. Where a contract isn't named nor known
    it is found first: what belongs to one never belongs to another.
    """
    contract_id = subject.contract_id or whereabouts.contract_of(subject.way)
    if contract_id is None:
        contract_id = await database.fetch_value(_WHOSE, *subject.arguments[:_WAYS])
    await database.fetch(_LOCK, contract_id)


def _loaded(row: database.Record, beside: Sequence[database.Record] = ()) -> Loaded:
    return Loaded(
        state=_contract(row),
        version=row["version"] or 0,
        last_hash=row["last_hash"],
        last_event_at=row["last_event_at"],
        erasures=row["erasures"] or 0,
        around=surroundings_of(row),
        key=stored(row),
        is_beyond_us=row["is_beyond_us"],
        beside=beside,
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


def surroundings_sql(client: str, freelancer: str, mediator: str) -> str:
    """What decides beside a row `contract`, of its parties and the acting `mediator`, given as SQL: what `surroundings_of` takes.

    The row of `deployment` is there by its name.
    """
    return f"""
    greatest(clock_timestamp() + deployment.clock_offset, contract.last_event_at) AS now,
    deployment.client_fee_bps AS client_bps_now, deployment.freelancer_fee_bps AS freelancer_bps_now,
    {_party(client)} AS client,
    {_party(freelancer)} AS freelancer,
    {share_member_sql(client, freelancer)} AS share_member,
    {_DECIDABLE_SQL} AS disputes_can_be_decided,
    {mediator} AS mediator"""


def surroundings_of(row: database.Record) -> Surroundings:
    """What decides beside a contract, of a row with `surroundings_sql`."""
    return Surroundings(
        now=row["now"],
        fees=Fees(row["client_bps_now"], row["freelancer_bps_now"]),
        client=party_of(row["client"]),
        freelancer=party_of(row["freelancer"]),
        share_member=row["share_member"],
        disputes_can_be_decided=row["disputes_can_be_decided"],
        mediator=mediator_of(row["mediator"]),
        terms=terms.in_force(),
    )


def party_of(values: Sequence[Any] | None) -> Party | None:
    """The account of what `_party` selects, if it is there."""
    if values is None or values[0] is None:
        return None
    account_id, kind, is_operator, disabled, payee = values
    provider, can_be_paid, missing = payee or ("", False, ())
    is_known = provider == terms.in_force().provider
    return Party(account_id, AccountType(kind), is_operator, disabled, is_known and can_be_paid, tuple(missing))


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
    return f"""(
        SELECT ROW(id, type, is_operator, disabled_at IS NOT NULL,
            (SELECT ROW(provider, can_be_paid, missing) FROM payees WHERE account_id = accounts.id))
        FROM accounts WHERE id = {account_id})"""


_SUBJECT: Final = """
    $1, (SELECT contract_id FROM milestones WHERE id = $2), (SELECT contract_id FROM deposits WHERE id = $3),
    (SELECT contract_id FROM payment_orders WHERE id = $4), (SELECT contract_id FROM refund_requests WHERE id = $5),
    (SELECT contract_id FROM disputes WHERE id = $6), (SELECT contract_id FROM change_requests WHERE id = $7)"""
"""The ways to the contract; the database goes only as far as the first that leads to one."""

_CLIENT: Final = "coalesce(contract.client_id, $8)"
_FREELANCER: Final = "coalesce(contract.freelancer_id, $9)"


def share_member_sql(client: str, freelancer: str) -> str:
    """Whether two accounts, given as SQL, have a member in common."""
    return f"""EXISTS (
    SELECT FROM members AS one JOIN members AS other ON other.person = one.person
    WHERE one.account_id = {client} AND other.account_id = {freelancer}
    AND one.removed_at IS NULL AND other.removed_at IS NULL)"""


_DECIDABLE_SQL: Final = """(
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


_BESIDE_PARTS: Final[tuple[tuple[Part[Any], Sequence[str], str], ...]] = (
    (DEPOSITS, ["one.state = 'STARTED'", "one.reversal IN ('OPEN', 'FORFEITED')"], "$3"),
    (ORDERS, ["one.state = 'STARTED'"], "$4"),
    (REFUNDS, ["one.state = 'OPEN'"], "$5"),
    (DISPUTES, ["one.state IN ('OPEN', 'MEDIATION')"], "$6"),
    (CHANGE_REQUESTS, ["one.state = 'OPEN'"], "$7"),
)
"""What is loaded beside the plan: which of a table's rows always, and the parameter that names one."""


def _beside(*, has_part: bool) -> str:
    arrays = [
        f"{nested_sql(part, either=either, named=f'one.id = {number}' if has_part else None)} AS {part.name}"
        for part, either, number in _BESIDE_PARTS
    ]
    balances = """ARRAY(
        SELECT ROW(account, currency, balance_minor) FROM balances
        WHERE contract_id = contract.id AND balance_minor <> 0) AS balances"""
    return ", ".join([*arrays, balances])


BESIDE_SQL: Final = _beside(has_part=False)
"""What lies beside the milestones of a row `contract` and is still open, for `loaded_parts`."""


# The law of `access.may_see`, asked of the contract's own row: for a stranger nothing that belongs to it is read.
_VISIBLE: Final = """($16::text[] IS NULL OR contract.id = ANY ($16::text[])) AND ($15::boolean
    OR $11 IN (contract.client_id, contract.freelancer_id)
    OR (contract.was_disputed AND EXISTS (SELECT FROM accounts WHERE id = $11 AND is_mediator)))"""


def _load_sql(
    *,
    named: str | None = None,
    has_part: bool = False,
    client: str,
    freelancer: str,
    mediator: str,
    key: str,
    readable: tuple[str, str],
    rows: str,
) -> str:
    """The statement that loads contracts, the `rows` beside the one of `deployment`: with what of the plan is `named`, perhaps
    with another part that is named, between the parties and perhaps a mediator, with the columns of a `key`, by a vocabulary
    and what is `readable` of it."""
    plan = nested_sql(MILESTONES, either=["one.revision = contract.revision"], named=named)
    vocabulary, types = readable
    return f"""
SELECT {CONTRACTS.select("contract")}, contract.version, contract.last_hash, contract.last_event_at,
    contract.erasures,
    {plan} AS milestones,
    {_beside(has_part=has_part)},
    {surroundings_sql(client, freelancer, mediator)},
    {key},
    {log.UNKNOWN_SQL.format(vocabulary=vocabulary, readable=types, stream="contract.id")} AS is_beyond_us
FROM deployment
{rows}
WHERE deployment.id = 1
"""


class _Named(Enum):
    """What a subject names."""

    CONTRACT = auto()
    """And milestones, or none."""
    CONTRACT_AND_PART = auto()
    """Such as a deposit."""
    WAY = auto()
    """Something that leads to the contract."""


def _named_by(subject: Subject) -> _Named:
    if subject.contract_id is None:
        return _Named.WAY
    return _Named.CONTRACT if _parts_of(subject) == _NO_PARTS else _Named.CONTRACT_AND_PART


def _load_one(what: _Named, *, has_key: bool) -> str:
    """The statement that loads one contract. One that is to be made is there only if its idempotency key has made it before."""
    place = {
        _Named.CONTRACT: "$1 AND coalesce($3, $4, $5, $6, $7) IS NULL",
        _Named.CONTRACT_AND_PART: "$1",
        _Named.WAY: f"coalesce({_SUBJECT}, used.contract_id)" if has_key else f"coalesce({_SUBJECT})",
    }[what]
    return _load_sql(
        named="one.id = ANY (array_append($10::text[], $2))",
        has_part=what is not _Named.CONTRACT,
        client=_CLIENT,
        freelancer=_FREELANCER,
        mediator=mediator_sql("$11", _CLIENT, _FREELANCER),
        key=COLUMNS_SQL if has_key else "NULL::bytea AS input_sha256, $12::text AS result",
        readable=("$13", "$14"),
        rows=f"""{join_sql(account="$11", key="$12") if has_key else ""}
LEFT JOIN contracts AS contract ON contract.id = {place} AND {_VISIBLE}""",
    )


_LOADS: Final = {(what, has_key): _load_one(what, has_key=has_key) for what in _Named for has_key in (False, True)}
"""Whoever names a contract finds it in one place, whoever names none of its parts looks for none, and whoever sends no key
doesn't look for it elsewhere."""

# Looked up by key, one by one, whatever statistics say.
_LOAD_ALL: Final = _load_sql(
    client="contract.client_id",
    freelancer="contract.freelancer_id",
    mediator="NULL::record",
    key="NULL AS input_sha256",
    readable=("$2", "$3"),
    rows="""CROSS JOIN unnest($1::text[]) AS wanted
CROSS JOIN LATERAL (SELECT * FROM contracts WHERE id = wanted OFFSET 0) AS contract""",
)

_PARAMETERS: Final = 16


@cache
def _load_with(statement: str, beside: Callable[[int], str]) -> str:
    return statement.replace("AS is_beyond_us\n", f"AS is_beyond_us, {beside(_PARAMETERS + 1)} AS beside\n")


_WHOSE: Final = f"SELECT coalesce({_SUBJECT})"

_LOCK: Final = "SELECT FROM contracts WHERE id = $1 FOR NO KEY UPDATE"
