"""The words that rooms are called by: nouns that every floor shares, the floors, and what else may bear one name twice.

A name that occurs twice stands for one thing; what that is stands here. A name that is not here occurs once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOUNS: Final[Mapping[str, str]] = {
    "contracts": "the agreement of a client and a freelancer, as a whole",
    "milestones": "the steps of its plan: added, edited, moved, removed",
    "imports": "a plan that comes from another system",
    "work": "what is handed in for a milestone, and its review",
    "holdings": "the money that a milestone holds: how it comes in and where it goes",
    "holds": "what freezes a milestone that holds money: a refund request or a dispute",
    "deposits": "the client's payments into escrow",
    "bonuses": "deposits beside a milestone's price, for the freelancer alone",
    "reversals": "deposits that the payment provider took back",
    "payouts": "what goes out to the freelancer",
    "orders": "what the payment provider is asked to do",
    "refunds": "money back to the client: asked for, or given",
    "disputes": "arguments about what a milestone holds, with evidence",
    "change_requests": "changes of the plan that one side asks the other to accept",
    "endings": "the end of a contract before everything is done",
    "updates": "what a party says about its progress",
    "reconciliation": "the payment provider's books beside ours",
    "costs": "what the payment provider takes for itself, and money that it changes",
    "attachments": "files that lie elsewhere, by name and digest",
    "acts": "what operators did",
    "accounts": "parties, mediators and the operator",
    "payees": "accounts as the payment provider knows them",
    "members": "people who act for an account",
    "keys": "programs that act for an account",
    "sessions": "browsers that act for an account for some hours",
    "fees": "what the operator takes",
    "endpoints": "where an account's events are sent",
    "deliveries": "one event on its way to one endpoint",
    "references": "what an account's programs call contracts and milestones",
    "calendars": "an account's dates behind an address",
    "transfers": "money that moved between two ledger accounts",
    "events": "facts of the log",
    "deadlines": "the clocks that run on a contract",
    "testclock": "the clock of a sandbox",
    "payer_actions": "what a client has to do before the payment provider goes on with a deposit",
    "payments": "what has to do with the payment provider",
    "feed": "the sync feed: what happened, with what it touched",
    "previews": "what a command would do",
    "advice": "hints on a draft plan",
    "log": "the log of events and its order",
    "couplings": "contracts coupled with project tools",
    "event_types": "the kinds of events that there are",
    "replays": "a stretch of the log, sent to an endpoint once more",
    "books": "what the ledger says of one contract",
}
"""Nouns of the domain. Wherever a floor has one of them, it has it in a file, or a folder, of that name."""

FLOORS: Final[Mapping[str, tuple[str, ...]]] = {
    "escrow/agreement/state": ("parties",),
    "escrow/agreement/commands": ("base",),
    "escrow/agreement/decisions": ("plan_changes",),
    "escrow/agreement/events": ("base",),
    "escrow/agreement/folds": ("base", "lookups"),
    "escrow/accounts/state": (),
    "escrow/accounts/commands": ("base",),
    "escrow/accounts/decisions": ("base",),
    "escrow/accounts/events": (),
    "escrow/accounts/folds": ("base",),
    "escrow/accounts/queries": (),
    "escrow/queries": ("changes", "counts", "ranges", "reading", "scans", "views", "visibility"),
    "schema/types": ("common", "event_kinds", "paging", "plans", "standing"),
    "schema/mutations": ("every", "payloads", "running"),
}
"""The floors that have a file for each noun, and what else stands in each: what its nouns share."""

SHARED: Final[Mapping[str, str]] = {
    "base": "what everything on a floor is",
    "commands": "what can be asked, a file each",
    "decisions": "what comes of each command",
    "folds": "how events are folded into the state",
    "state": "what something is between two events",
    "models": "tables as Tortoise has them",
    "migrations": "how tables came to be, step by step",
    "migrate": "bringing the tables of a database up to date",
    "queries": "reading for answers, as far as one may see",
    "live": "what is told as it happens",
    "rules": "who may do what, and when, as a table",
    "evolve": "folding one event into the state",
    "inputs": "what values must be like",
    "visibility": "what exists for an actor",
    "audit": "proving the tables from the log",
    "erasure": "forgetting people's words",
    "secrets": "the secrets of endpoints at rest",
    "documents": "GraphQL documents that the operator registered",
    "doctor": "looking at a deployment, and saying what is wrong with it",
    "demo": "playing a story from start to end",
    "schema": "the API in GraphQL's own language",
    "api": "the API: served by a room, asked by a command",
    "sandbox": "the payment provider of a sandbox",
    "titles": "the words by which contracts and milestones are found",
    "tables": "the tables of a store, each with how it is mapped",
    "store": "the one read and the one write of a command",
    "stream": "how commands on one kind of stream are carried out",
    "idempotency": "repeating a command safely",
}
"""Names that occur twice beside the nouns, and the one thing that each stands for."""


def meanings() -> dict[str, str]:
    """Every name that may occur more than once, with its meaning."""
    return {**NOUNS, **SHARED}
