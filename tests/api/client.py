"""A client of the API, as a program that talks to it: real HTTP messages, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from api.app import create_app
from api.lately import Lately
from escrow import ids, pipeline
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.accounts.known_keys import KnownKeys
from escrow.ids import Kind
from escrow.payments.provider import Provider
from escrow.settings import PaymentProvider, Settings
from tests.factories import SECRET_KEY, Deployment
from tests.prepared import prepared

PARTY_SCOPES = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE)


@asynccontextmanager
async def door(
    *,
    sandbox: bool = True,
    metrics_token: str | None = None,
    allowed_origins: frozenset[str] = frozenset(),
    public_url: str | None = None,
    keys: KnownKeys | None = None,
    provider: Provider | None = None,
    explorer: bool = False,
) -> AsyncIterator[httpx.AsyncClient]:
    """The application on the database that the test has, spoken to over HTTP; all of the schema is there in a sandbox.

    Unless `keys` are given it remembers none, so that statements can be counted: each request asks for its own. Nor does it
    remember whether it is ready.
    """
    settings = Settings(
        database_url="",  # it never starts, so it never connects: the test has
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=sandbox,
        payment_provider=PaymentProvider.SANDBOX,
        metrics_token=metrics_token,
        allowed_origins=allowed_origins,
        public_url=public_url,
        explorer=explorer,
    )
    app = create_app(settings, provider=provider)
    app.state.door.authentication.keys = keys if keys is not None else KnownKeys(term_seconds=0.0)
    app.state.door.readiness = app.state.door.figures = Lately(0.0)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as client:
        yield client


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a key, or without one."""

    http: httpx.AsyncClient
    token: str | None = None
    account_id: str = ""

    async def post(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """The whole answer to an operation."""
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        return await self.http.post("/graphql", json={"query": query, "variables": variables or {}}, headers=headers)

    async def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of an operation that must not fail."""
        answer = (await self.post(query, variables)).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def errors(self, query: str, variables: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The top-level errors of an operation that must fail."""
        answer = (await self.post(query, variables)).json()
        found: list[dict[str, Any]] = answer["errors"]
        return found

    async def do(self, mutation: str, given: dict[str, Any], fields: str, *, key: str | None = None) -> dict[str, Any]:
        """The payload of a mutation, with its `userErrors`."""
        input_type = mutation[0].upper() + mutation[1:] + "Input"
        directive = f'@idempotent(key: "{key}")' if key is not None else ""
        query = f"""mutation ($input: {input_type}!) {{
            {mutation}(input: $input) {directive} {{ {fields} userErrors {{ code message field details }} }}
        }}"""
        payload: dict[str, Any] = (await self.ask(query, {"input": given}))[mutation]
        return payload

    async def done(
        self, mutation: str, given: dict[str, Any], fields: str, *, key: str | None = None
    ) -> dict[str, Any]:
        """The payload of a mutation that must not be refused."""
        payload = await self.do(mutation, given, fields, key=key)
        assert payload["userErrors"] == [], payload
        return payload


@dataclass(frozen=True, slots=True)
class People:
    """A deployment and everybody in it, each with a key."""

    deployment: Deployment
    operator: Caller
    client: Caller
    freelancer: Caller
    mediator: Caller
    nobody: Caller

    @classmethod
    async def meet(cls, http: httpx.AsyncClient) -> People:
        met = await prepared(cls, lambda: cls._met(http))
        callers = {name: replace(getattr(met, name), http=http) for name in cls.__slots__ if name != "deployment"}
        return replace(met, **callers)

    @classmethod
    async def _met(cls, http: httpx.AsyncClient) -> People:
        deployment = await Deployment.make()
        operator_scopes = (Scope.OPERATOR, *PARTY_SCOPES, Scope.DISPUTES_DECIDE)
        return cls(
            deployment=deployment,
            operator=await with_key(http, deployment.operator, deployment.operator, operator_scopes),
            client=await with_key(http, deployment.client, deployment.operator),
            freelancer=await with_key(http, deployment.freelancer, deployment.operator),
            mediator=await with_key(http, deployment.mediator, deployment.operator),
            nobody=Caller(http),
        )

    async def stranger(self, **limits: Any) -> Caller:
        """Somebody with an account of their own and no contract."""
        account_id = ids.new(Kind.ACCOUNT)
        creation = commands.CreateAccount(account_id=account_id, name="A stranger", type=_individual())
        await pipeline.run(creation, by=self.deployment.operator)
        stranger = Actor(self.deployment.client.kind, account_id)
        return await with_key(self.client.http, stranger, self.deployment.operator, **limits)


def _individual() -> Any:
    from escrow.access import AccountType

    return AccountType.INDIVIDUAL


async def with_key(
    http: httpx.AsyncClient,
    whose: Actor,
    operator: Actor,
    scopes: tuple[Scope, ...] = PARTY_SCOPES,
    *,
    contract_ids: tuple[str, ...] | None = None,
    member_id: str | None = None,
) -> Caller:
    """A caller with a fresh key of that account, made by the operator."""
    token = tokens.new()
    account_id = whose.account_id or ""
    command = commands.CreateApiKey(
        account_id=account_id,
        key_id=ids.new(Kind.KEY),
        name="A test's key",
        scopes=scopes,
        token=token,
        contract_ids=contract_ids,
        member_id=member_id,
    )
    await pipeline.run(command, by=operator)
    return Caller(http, token.text, account_id)
