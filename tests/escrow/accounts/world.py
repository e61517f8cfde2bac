"""A small deployment on a real database: the operator, a studio and a shop, made by the commands themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from escrow import database, ids
from escrow.access import AccountType, Actor, ActorKind, Role, Scope
from escrow.accounts import commands, tokens
from escrow.pipeline import run
from tests.prepared import prepared

OWN_SCOPES = frozenset(Scope) - {Scope.OPERATOR}


@dataclass(frozen=True, slots=True)
class World:
    """The accounts, by id, and who acts for them."""

    operator_account: str
    studio: str
    shop: str
    operator: Actor

    @classmethod
    async def make(cls) -> Self:
        return await prepared(cls, cls._made)

    @classmethod
    async def _made(cls) -> Self:
        operator_account, studio, shop = (ids.new(ids.Kind.ACCOUNT) for _ in range(3))
        founder = Actor(ActorKind.OPERATOR)
        await run(commands.CreateOperator(account_id=operator_account, name="Earnest"), by=founder)
        operator = Actor(ActorKind.OPERATOR, operator_account, scopes=frozenset({Scope.OPERATOR}))
        for account_id, name, person, who in (
            (studio, "Zoë 工房", "ana@studio.example", "Ana"),
            (shop, "Shop", "sam@shop.example", "Sam"),
        ):
            owner = commands.MemberDraft(member_id=ids.new(ids.Kind.MEMBER), person=person, name=who)
            creation = commands.CreateAccount(account_id=account_id, name=name, type=AccountType.AGENCY, owner=owner)
            await run(creation, by=operator)
        return cls(operator_account, studio, shop, operator)

    @property
    def owner(self) -> Actor:
        """An owner of the studio, with a key for everything."""
        return self.owner_of(self.studio)

    def owner_of(self, account_id: str, *, contracts: frozenset[str] | None = None) -> Actor:
        key_id = ids.new(ids.Kind.KEY)
        return Actor(ActorKind.ACCOUNT, account_id, key_id, scopes=OWN_SCOPES, contract_ids=contracts)

    def member_command(
        self, person: str, role: Role = Role.MEMBER, *, account_id: str | None = None
    ) -> commands.AddMember:
        return commands.AddMember(
            account_id=account_id or self.studio,
            member_id=ids.new(ids.Kind.MEMBER),
            person=person,
            name="Somebody",
            role=role,
        )

    async def add_member(self, person: str, role: Role, *, account_id: str | None = None) -> str:
        command = self.member_command(person, role, account_id=account_id)
        await run(command, by=self.operator)
        return command.member_id

    def key_command(
        self,
        *,
        account_id: str | None = None,
        scopes: tuple[Scope, ...] = (Scope.CONTRACTS_READ,),
        member_id: str | None = None,
        contract_ids: tuple[str, ...] | None = None,
        expires_in: timedelta | None = None,
    ) -> commands.CreateApiKey:
        return commands.CreateApiKey(
            account_id=self.studio if account_id is None else account_id,
            key_id=ids.new(ids.Kind.KEY),
            name="sync",
            scopes=scopes,
            token=tokens.new(),
            member_id=member_id,
            contract_ids=contract_ids,
            expires_at=datetime.now(UTC) + expires_in if expires_in is not None else None,
        )

    async def create_key(
        self,
        *,
        account_id: str | None = None,
        scopes: tuple[Scope, ...] = (Scope.CONTRACTS_READ,),
        member_id: str | None = None,
        contract_ids: tuple[str, ...] | None = None,
        expires_in: timedelta | None = None,
    ) -> tuple[tokens.Token, str]:
        """A new key of the studio, made by the operator: its token and its id."""
        command = self.key_command(
            account_id=account_id,
            scopes=scopes,
            member_id=member_id,
            contract_ids=contract_ids,
            expires_in=expires_in,
        )
        await run(command, by=self.operator)
        return command.token, command.key_id

    async def contract(self, *, client: str, freelancer: str, state: str) -> str:
        """A contract between two accounts as a bare row: enough for what joins accounts."""
        contract_id = ids.new(ids.Kind.CONTRACT)
        await database.execute(_CONTRACT, contract_id, client, freelancer, state)
        return contract_id

    async def many_counterparties(self, count: int) -> None:
        """Accounts `acc_0…1` to `count`, as bare rows, each the freelancer of one contract of the studio."""
        await database.execute(_ACCOUNTS, count)
        await database.execute(_CONTRACTS, self.studio, count)


_COLUMNS = """
    id, client_id, freelancer_id, state, title, description, currency, time_zone, deposit_term, revision, written_by,
    offered_at, plan_version, offer_hours, deposit_hours, review_hours, refund_answer_hours, dispute_answer_hours,
    mediation_hours, client_fee_bps, freelancer_fee_bps, version, last_hash, last_event_at, created_at, updated_at
"""

_VALUES = """
    '', '', 'USD', 'UTC', 'FIRST', 1, 'CLIENT', now(), 1, 720, 72, 336, 168, 168, 720, 0, 0, 1, '', now(), now(), now()
"""

_CONTRACT = f"INSERT INTO contracts ({_COLUMNS}) VALUES ($1, $2, $3, $4, {_VALUES})"

_ACCOUNTS = """
INSERT INTO accounts (id, name, type, version, last_hash, last_event_at, created_at)
SELECT 'acc_' || lpad(n::text, 26, '0'), n::text, 'COMPANY', 1, '', now(), now() FROM generate_series(1, $1::int) AS n
"""

_CONTRACTS = f"""
INSERT INTO contracts ({_COLUMNS})
SELECT 'ctr_' || lpad(n::text, 26, '0'), $1::text, 'acc_' || lpad(n::text, 26, '0'), 'ACTIVE', {_VALUES}
FROM generate_series(1, $2::int) AS n
"""
