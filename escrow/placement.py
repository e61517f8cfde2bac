"""Says where each table lies once there are several servers: with its contract, with its account, everywhere, or in one place.

On one server nothing of this is seen. Citus, and whatever else shards PostgreSQL by a key, wants that unique keys contain the
column by which a table is distributed, and that foreign keys stay within it or lead to tables that are everywhere. A test
holds the database to it, and another the statements (`docs/scaling/sharding.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """What decides on which server a row lies."""

    CONTRACT = "contract"
    """Distributed: all rows of a contract lie in one shard. Streams of accounts lie in the shards of their own names."""
    ACCOUNT = "account"
    """Distributed by account: what must be unique within an account, whichever contract it is about."""
    REFERENCE = "reference"
    """The same rows on every server: few, seldom written, and read with any contract."""
    LOCAL = "local"
    """On one server, together: nothing of it is read or written with a contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table lies, and what its present keys lack for it."""

    group: Group
    why: str
    column: str | None = None
    """By which it is distributed, if it is."""
    narrow: Mapping[str, str] = field(default_factory=dict)
    """Unique keys without that column, which go when the tables are distributed, each with the one that has it and stays."""
    crossing: tuple[str, ...] = ()
    """Foreign keys that lead elsewhere: kept on one server, gone when the tables are distributed. The audit looks there, too."""


def _contract(*names: str, why: str, column: str = "contract_id") -> Place:
    twins = {f"{name}_pkey": f"{name}_in_contract" for name in names}
    return Place(group=Group.CONTRACT, column=column, why=why, narrow=twins)


_PART: Final = "a part of its contract, loaded and written with it"


def _part(table: str, why: str = _PART) -> Place:
    """A table whose rows have identifiers of their own: random in 128 bits, they need no index over all shards."""
    return _contract(table, why=why)


def _everywhere(why: str) -> Place:
    return Place(group=Group.REFERENCE, why=why)


def _apart(why: str, *crossing: str) -> Place:
    return Place(group=Group.LOCAL, why=why, crossing=crossing)


_SEQUENCED: Final = "the sequencer writes it in the transaction that gives positions: both stand or fall together"
_OWNERS: Final = (
    "asked at the door by whoever sends a request, or by an account of its own things; never with a contract"
)
_SENT: Final = "what webhooks are sent, by endpoint and position: it follows the log, not the contract"
_BOOKS: Final = "the provider's side of the books, compared with ours from time to time"
_OPERATORS: Final = "what happened at the door, whoever it was about"
_TOOLS: Final = "a connector's own notes; it talks to Earnest as anybody does"

PLACES: Final[Mapping[str, Place]] = {
    "contracts": _contract(why="what everything else is distributed with", column="id"),
    "milestones": _part("milestones"),
    "deposits": _part("deposits"),
    "submissions": _part("submissions"),
    "deadlines": _contract(why=_PART),
    "deadline_sweeps": _contract(why="who works on which contract's clocks: as many rows as there are workers"),
    "payment_orders": _part("payment_orders"),
    "provider_calls": _part("provider_calls", why="the calls of an order, read and written with it"),
    "balances": _part("balances"),
    "refund_requests": _part("refund_requests"),
    "disputes": _part("disputes"),
    "evidence": _part("evidence"),
    "change_requests": _part("change_requests"),
    "updates": _contract(why=_PART),
    "costs": _part("costs", why="named by the provider, which names each movement once, whichever contract it is of"),
    "transfers": _part("transfers"),
    "titles": _part("titles", why="written with the titles; a search for words asks every shard, as lists do"),
    "events": _contract(
        "events", why="a stream is a contract's or an account's, and its chain one shard's", column="stream_id"
    ),
    "texts": _contract("texts", why="the words beside an event", column="stream_id"),
    "log_pending": _contract(
        "log_pending",
        why="the outbox, written by the command's own statement; the sequencer asks every shard for it",
        column="stream_id",
    ),
    "idempotency_keys": Place(
        group=Group.ACCOUNT,
        column="account_id",
        why="a key is refused for another contract, too: it has to be unique within the account",
        crossing=("idempotency_keys_contract",),
    ),
    "external_references": Place(
        group=Group.ACCOUNT,
        column="account_id",
        why="within an account and a system a name stands for one thing, and is looked up by it",
        crossing=("external_references_contract", "external_references_milestone"),
    ),
    "deployment": _everywhere("one row, which every command reads"),
    "event_types": _everywhere("some dozens of rows, which every command may read"),
    "accounts": _everywhere("parties and mediators, joined with every contract; written when somebody registers"),
    "members": _everywhere("whether the parties have a person in common is asked by every command"),
    "payees": _everywhere("whether a freelancer can be paid is asked by every command"),
    "api_keys": _everywhere("whether anybody may decide disputes is asked by every command"),
    "sessions": _apart(_OWNERS),
    "calendar_tokens": _apart(_OWNERS),
    "documents": _apart(_OWNERS),
    "endpoints": _apart(_OWNERS),
    "endpoint_secrets": _apart(_OWNERS),
    "log_positions": _apart(_SEQUENCED, "log_positions_event"),
    "log_cuts": _apart(_SEQUENCED),
    "subscriptions": _apart(_SEQUENCED),
    "lanes": _apart(_SEQUENCED),
    "deliveries": _apart(_SEQUENCED),
    "delivery_attempts": _apart(_SENT),
    "endpoint_health": _apart(_SENT),
    "replays": _apart(_SENT),
    "delivery_retention": _apart(_SENT),
    "archives": _apart("what was copied out of the log and the deliveries, in the order of both"),
    "operator_acts": _apart(_OPERATORS),
    "operator_act_ends": _apart(_OPERATORS),
    "refused_credentials": _apart(_OPERATORS),
    "deadline_counts": _apart("some counters of what sweeps did"),
    "sandbox_charges": _apart("the built-in provider's own books, which a real one keeps elsewhere"),
    "provider_movements": _apart(_BOOKS),
    "reconciliation_differences": _apart(_BOOKS),
    "couplings": _apart(_TOOLS),
    "coupled_pairs": _apart(_TOOLS),
    "coupled_writings": _apart(_TOOLS),
}
"""Every table. One that is missing here fails a test, so that nobody adds it without a thought of where it lies."""


def key_across_shards(table: str, key: tuple[str, ...]) -> tuple[str, ...]:
    """A unique key of a table as it is on any number of servers: with the column by which the table is distributed."""
    column = PLACES[table].column
    return key if column is None or column in key else (column, *key)
