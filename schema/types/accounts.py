"""Accounts, their members and keys. What is nobody else's business is null for everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import AccountType, ActorKind, Role, Scope
from escrow.accounts import queries
from escrow.accounts import state as accounts
from escrow.accounts.queries import accounts_of_parts
from schema.connections import After, Connection, First, connection, page_size
from schema.engine.context import Context, Info
from schema.engine.data_loaders import batched
from schema.engine.fields import resolved
from schema.scalars import print_cursor, read_cursor
from schema.types.common import Node, as_id
from schema.types.endpoints import WebhookEndpoint, endpoints_of
from schema.types.events import Event, timeline_of


@strawberry.type(description="A person who acts for an account.")
class Member(Node):
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How the account calls them.")
    role: Role = strawberry.field(description="What they may do.")
    added_at: datetime = strawberry.field(description="Since when they act for the account.")
    removed_at: datetime | None = strawberry.field(description="Until when, if they don't any more.")

    @classmethod
    def of(cls, member: accounts.Member) -> Member:
        return cls(
            id=strawberry.ID(member.id),
            person=member.person,
            name=member.name,
            role=member.role,
            added_at=member.added_at,
            removed_at=member.removed_at,
        )


@strawberry.type(
    description="A key with which a program acts for an account. Its secret was shown once and is not stored."
)
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for, as its maker wrote it.")
    hint: str = strawberry.field(description="The last characters of the secret, to tell keys apart.")
    scopes: list[Scope] = strawberry.field(description="What it may be used for.")
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        description="The only contracts that it reaches; null if it reaches all of the account's."
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="The member that it acts as; null if it acts as an owner, within its scopes."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it stops working by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to about a minute.")

    @classmethod
    def of(cls, key: accounts.Key | queries.KeyView) -> ApiKey:
        return cls(
            id=strawberry.ID(key.id),
            name=key.name,
            hint=key.hint,
            scopes=list(key.scopes),
            contract_ids=[strawberry.ID(one) for one in key.contract_ids] if key.contract_ids is not None else None,
            member_id=as_id(key.member_id),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=getattr(key, "revoked_at", None),
            last_used_at=getattr(key, "last_used_at", None),
        )


@strawberry.type(description="A party: an individual, a company or an agency.")
class Account(Node):
    name: str = strawberry.field(description="How it is called.")
    type: AccountType = strawberry.field(description="What kind of party it is.")
    is_operator: bool | None = strawberry.field(
        description="Whether it runs this deployment. Null for other accounts than one's own."
    )
    is_mediator: bool | None = strawberry.field(
        description="Whether the operator lets it decide disputes. Null for other accounts than one's own."
    )
    disabled_at: datetime | None = strawberry.field(
        description="Since when the operator bars it from new business. Null for other accounts than one's own."
    )
    created_at: datetime | None = strawberry.field(
        description="When it was opened. Null for other accounts than one's own."
    )

    @resolved("The people who act for it now. Null unless it is the viewer's own, or for the operator.")
    async def members(self, info: Info) -> list[Member] | None:
        members = await _members(self.id, info.context)
        await info.context.afford(len(members or ()))
        return members

    @resolved("Its keys that were not revoked, oldest first. Null unless it is the viewer's own, or for the operator.")
    async def api_keys(self, info: Info) -> list[ApiKey] | None:
        keys = await _keys(self.id, info.context)
        await info.context.afford(len(keys or ()))
        return keys

    @resolved(
        "Where its events are sent, oldest first; a key that is limited to some contracts sees those for some of them. "
        "Null unless it is the viewer's own, or for the operator."
    )
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint] | None:
        info.context.webhook_manager()
        endpoints = await endpoints_of(self.id, info.context)
        await info.context.afford(len(endpoints or ()))
        return endpoints

    @resolved("What happened to the account itself, in order. Null unless it is the viewer's own, or for the operator.")
    async def timeline(self, info: Info, first: First = 50, after: After = None) -> Connection[Event] | None:
        page_size(first)
        if not _is_whole(self.id, info.context):
            return None
        return await timeline_of(self.id, info.context, first, after)

    @classmethod
    def of(cls, view: queries.AccountView) -> Account:
        return cls(
            id=strawberry.ID(view.id),
            name=view.name,
            type=view.type,
            is_operator=view.is_operator,
            is_mediator=view.is_mediator,
            disabled_at=view.disabled_at,
            created_at=view.created_at,
        )

    @classmethod
    def of_state(cls, account: accounts.Account) -> Account:
        """The account as a command left it, whole: who may change it may see it."""
        return cls(
            id=strawberry.ID(account.id),
            name=account.name,
            type=account.type,
            is_operator=account.is_operator,
            is_mediator=account.is_mediator,
            disabled_at=account.disabled_at,
            created_at=account.created_at,
        )


@strawberry.type(description="Who is asking: the account, the key, and what it may do.")
class Viewer:
    kind: ActorKind = strawberry.field(description="An account, or the operator.")
    role: Role = strawberry.field(description="What the key may do for the account: its member's role, or owner.")
    scopes: list[Scope] = strawberry.field(description="What the key was made for.")
    account_id: strawberry.ID = strawberry.field(description="The account that the key acts for.")
    member_id: strawberry.ID | None = strawberry.field(description="The member that the key acts as, if it is one's.")
    key_id: strawberry.ID | None = strawberry.field(description="The key itself.")

    @resolved("The account that the key acts for.")
    async def account(self, info: Info) -> Account:
        found = await account_of(self.account_id, info.context)
        if found is None:
            raise LookupError(f"the account {self.account_id} of a key that was just recognised is gone")
        return found


@batched
async def account_of(account_ids: Sequence[str], context: Context) -> list[Account | None]:
    """Accounts by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.accounts_by_id(context.known(), list(dict.fromkeys(account_ids)))
    shown = {identifier: Account.of(view) for identifier, view in found.items()}
    return [shown.get(account_id) for account_id in account_ids]


@batched
async def _members(account_ids: Sequence[str], context: Context) -> list[list[Member] | None]:
    found = await queries.members_of(context.known(), list(dict.fromkeys(account_ids)))
    return [
        [Member.of(member) for member in found[account_id]] if account_id in found else None
        for account_id in account_ids
    ]


@batched
async def _keys(account_ids: Sequence[str], context: Context) -> list[list[ApiKey] | None]:
    found = await queries.keys_of(context.known(), list(dict.fromkeys(account_ids)))
    return [
        [ApiKey.of(key) for key in found[account_id]] if account_id in found else None for account_id in account_ids
    ]


@batched
async def member_of(member_ids: Sequence[str], context: Context) -> list[Member | None]:
    """Present members by identifier, as far as the viewer may see them."""
    owners = await accounts_of_parts("members", member_ids)
    found = await queries.members_of(context.known(), owners)
    shown = {member.id: Member.of(member) for members in found.values() for member in members}
    return [shown.get(member_id) for member_id in member_ids]


@batched
async def key_of(key_ids: Sequence[str], context: Context) -> list[ApiKey | None]:
    """Keys that were not revoked by identifier, as far as the viewer may see them."""
    owners = await accounts_of_parts("api_keys", key_ids)
    found = await queries.keys_of(context.known(), owners)
    shown = {key.id: ApiKey.of(key) for keys in found.values() for key in keys}
    return [shown.get(key_id) for key_id in key_ids]


def _is_whole(account_id: str, context: Context) -> bool:
    actor = context.known()
    return actor.contract_ids is None and (actor.kind is ActorKind.OPERATOR or actor.account_id == account_id)


async def accounts_list(context: Context, first: First, after: After) -> Connection[Account]:
    """The operator's list of all accounts; everybody else finds their own."""
    size = page_size(first)
    start = read_cursor(after, "accounts")[0] if after is not None else None
    found = await queries.accounts_page(context.known(), first=size + 1, after=start)
    return connection(
        [(Account.of(view), print_cursor("accounts", view.id)) for view in found], first=size, after=after
    )
