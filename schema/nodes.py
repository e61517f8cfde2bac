"""Finds any object by its identifier: the prefix tells the kind, and each kind is read in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from escrow import ids
from escrow.access import Scope
from escrow.ids import Kind
from schema.engine.context import Context
from schema.types.accounts import Account, account_of
from schema.types.change_requests import ChangeRequest, change_request_of
from schema.types.common import Node
from schema.types.contracts import Contract, contract_found
from schema.types.deliveries import Delivery, DeliveryAttempt, WebhookReplay, attempt_of, delivery_of, replay_of
from schema.types.deposits import Deposit, deposit_of
from schema.types.disputes import Dispute, dispute_of
from schema.types.endpoints import WebhookEndpoint, endpoint_of
from schema.types.event_kinds import EVENT_KINDS
from schema.types.events import event_of
from schema.types.keys import ApiKey, key_of
from schema.types.members import Member, member_of
from schema.types.milestones import Milestone, milestone_found
from schema.types.orders import PaymentOrder, order_of
from schema.types.refunds import RefundRequest, refund_request_of
from schema.types.sessions import Session, session_of
from schema.types.transfers import Transfer, transfer_of
from schema.types.work import Submission, submission_of

NODE_TYPES: Final = (
    Account, ApiKey, ChangeRequest, Contract, Delivery, DeliveryAttempt, Deposit, Dispute, Member, Milestone,
    PaymentOrder, RefundRequest, Session, Submission, Transfer, WebhookEndpoint, WebhookReplay, *EVENT_KINDS,
)  # fmt: skip

_FIND: Final[dict[Kind, Callable[[str, Context], Awaitable[Any]]]] = {
    Kind.ACCOUNT: account_of,
    Kind.CHANGE_REQUEST: change_request_of,
    Kind.ATTEMPT: attempt_of,
    Kind.CONTRACT: contract_found,
    Kind.DELIVERY: delivery_of,
    Kind.DEPOSIT: deposit_of,
    Kind.DISPUTE: dispute_of,
    Kind.ENDPOINT: endpoint_of,
    Kind.EVENT: event_of,
    Kind.KEY: key_of,
    Kind.MEMBER: member_of,
    Kind.MILESTONE: milestone_found,
    Kind.ORDER: order_of,
    Kind.REFUND_REQUEST: refund_request_of,
    Kind.REPLAY: replay_of,
    Kind.SESSION: session_of,
    Kind.SUBMISSION: submission_of,
    Kind.TRANSFER: transfer_of,
}

_OWN: Final = frozenset({Kind.ACCOUNT, Kind.KEY, Kind.MEMBER, Kind.SESSION})
"""Kinds that belong to accounts and need no scope; reading most others needs the one for reading contracts."""

_OF_WEBHOOKS: Final = frozenset({Kind.ATTEMPT, Kind.DELIVERY, Kind.ENDPOINT, Kind.REPLAY})
"""Kinds whose reading needs the scope for managing webhooks."""


async def find_nodes(identifiers: Sequence[str], context: Context) -> list[Node | None]:
    """What these identifiers name, in the same order; `None` for what doesn't exist or may not be seen."""
    context.known()
    return list(await asyncio.gather(*(_find(identifier, context) for identifier in identifiers)))


async def _find(identifier: str, context: Context) -> Node | None:
    kind = ids.kind_of(identifier)
    if kind is None or kind not in _FIND:
        return None
    if kind in _OF_WEBHOOKS:
        context.webhook_manager()
    elif kind not in _OWN:
        context.reader(Scope.CONTRACTS_READ)
    found: Node | None = await _FIND[kind](identifier, context)
    return found
