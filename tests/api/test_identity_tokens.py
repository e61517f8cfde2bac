"""Tokens of an identity provider: a member gets in as who they are, and no forgery, however it is made, gets anybody in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api import identity_tokens
from api.app import create_app
from api.identity_keys import IdentityKeys
from api.identity_tokens import TOKEN_CHARACTERS_MAX, IdentityTokens
from escrow import ids, pipeline
from escrow.access import Role
from escrow.accounts import commands
from escrow.ids import Kind
from escrow.settings import IdentityProvider, PaymentProvider, Settings
from tests.api.client import Caller, People
from tests.api.identity import KINDS, PROVIDER, Provider, claims, forged, jwk, published, signed
from tests.api.test_journey import proposal
from tests.factories import SECRET_KEY

PERSON = "auth0|Ana"
VIEWER = "{ viewer { account { id } memberId keyId role scopes kind } }"
IN_A_CENTURY = 4_102_444_800
"""In the future however long after its collection a test runs."""


@dataclass(slots=True)
class Signing:
    """The provider beside a door that takes its tokens, and the client's member whom it knows."""

    provider: Provider
    people: People
    app: Any
    member_id: str
    now: float = 1_000.0

    def use(self, **changes: str) -> None:
        """Let the door take tokens of the provider, as these settings say; it knows no key yet."""
        keys = IdentityKeys(PROVIDER.jwks_url, fetch=self.provider.fetch, clock=lambda: self.now)
        self.app.state.door.authentication.identity = IdentityTokens(replace(PROVIDER, **changes), keys)

    def said(self, **changes: Any) -> dict[str, Any]:
        return claims(**{"earnest_account": self.people.client.account_id, "sub": PERSON} | changes)

    def caller(self, token: str) -> Caller:
        return Caller(self.people.client.http, token, self.people.client.account_id)

    async def refused(self, token: str) -> str:
        """Why whoever shows it isn't let in."""
        answer = await self.caller(token).post(VIEWER)
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert token[-20:] not in answer.text
        message: str = error["message"]
        return message

    async def let_in(self, token: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.caller(token).ask(VIEWER))["viewer"]
        return found


async def member_of(people: People, account_id: str, person: str, role: Role) -> str:
    member_id = ids.new(Kind.MEMBER)
    command = commands.AddMember(account_id=account_id, member_id=member_id, person=person, name="Ana", role=role)
    await pipeline.run(command, by=people.deployment.operator)
    return member_id


@pytest_asyncio.fixture(loop_scope="session")
async def signing(database: str) -> AsyncIterator[Signing]:
    settings = Settings(
        database_url="",
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=True,
        payment_provider=PaymentProvider.SANDBOX,
        identity=PROVIDER,
    )
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as http:
        people = await People.meet(http)
        member_id = await member_of(people, people.client.account_id, PERSON, Role.MANAGER)
        made = Signing(Provider(), people, app, member_id)
        made.use()
        yield made


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_is_let_in_with_their_role_and_the_tokens_scopes(signing: Signing, kind: str) -> None:
    found = await signing.let_in(signed(signing.said(), kind=kind))
    assert found == {
        "account": {"id": signing.people.client.account_id},
        "memberId": signing.member_id,
        "keyId": None,
        "role": "MANAGER",
        "scopes": ["CONTRACTS_READ"],
        "kind": "ACCOUNT",
    }


async def test_keys_of_ours_go_on_beside_it(signing: Signing) -> None:
    assert (await signing.people.client.ask(VIEWER))["viewer"]["keyId"] is not None
    assert signing.provider.fetches == 0


async def test_scopes_come_as_a_text_or_a_list_and_no_others_than_ours_mean_anything(signing: Signing) -> None:
    for scope, expected in (
        ("contracts:read contracts:write profile", {"CONTRACTS_READ", "CONTRACTS_WRITE"}),
        (["contracts:read", "admin", 7, None], {"CONTRACTS_READ"}),
        ("CONTRACTS_READ money:write", {"CONTRACTS_READ", "MONEY_WRITE"}),
        ("", set()),
        (None, set()),
        ({"contracts:read": True}, set()),
        (7, set()),
        ("CONTRACTS:READ", set()),
    ):
        found = await signing.let_in(signed(signing.said(scope=scope)))
        assert set(found["scopes"]) == expected, scope


async def test_a_member_does_what_the_role_lets_them_and_the_log_names_them(signing: Signing) -> None:
    people = signing.people
    manager = signing.caller(signed(signing.said(scope="contracts:read contracts:write")))
    made = await manager.done(
        "proposeContract",
        proposal(people, "10.00"),
        "contract { id timeline(first: 1) { nodes { actor { memberId keyId } } } }",
    )
    (event,) = made["contract"]["timeline"]["nodes"]
    assert event["actor"] == {"memberId": signing.member_id, "keyId": None}
    await member_of(people, people.client.account_id, "viewer", Role.VIEWER)
    viewer = signing.caller(signed(signing.said(sub="viewer", scope="contracts:read contracts:write money:write")))
    refused = await viewer.do("proposeContract", proposal(people, "10.00"), "contract { id }")
    assert [one["code"] for one in refused["userErrors"]] == ["FORBIDDEN"]


async def test_the_operators_scope_is_the_operators_alone(signing: Signing) -> None:
    assert (await signing.let_in(signed(signing.said(scope="operator contracts:read"))))["kind"] == "ACCOUNT"
    people = signing.people
    operator_id = people.operator.account_id
    await member_of(people, operator_id, "op", Role.MANAGER)
    said = signing.said(earnest_account=operator_id, sub="op", scope="operator")
    assert (await signing.let_in(signed(said)))["kind"] == "OPERATOR"
    assert (await signing.let_in(signed(said | {"scope": "contracts:read"})))["kind"] == "ACCOUNT"


async def test_a_person_acts_only_for_an_account_that_they_are_a_member_of(signing: Signing) -> None:
    people = signing.people
    for changes in (
        {"earnest_account": people.freelancer.account_id},
        {"earnest_account": people.operator.account_id},
        {"earnest_account": ids.new(Kind.ACCOUNT)},
        {"earnest_account": "'; DROP TABLE members; --"},
        {"sub": "auth0|ana"},
        {"sub": signing.member_id},
        {"sub": "%"},
    ):
        assert "a member of the account" in await signing.refused(signed(signing.said(**changes)))


@pytest.mark.parametrize(
    "changes",
    [{"earnest_account": value} for value in (None, "", " ", 7, ["acc"], True, "a\0b", "\ud800")]
    + [{"sub": value} for value in (" ", "a\0b", "\ud800")],
)
async def test_without_an_account_or_a_person_nobody_is_let_in(signing: Signing, changes: dict[str, Any]) -> None:
    assert "has no text in the claim" in await signing.refused(signed(signing.said(**changes)))


async def test_a_member_who_was_removed_is_not_let_in_any_more(signing: Signing) -> None:
    token = signed(signing.said())
    await signing.let_in(token)
    await pipeline.run(commands.RemoveMember(member_id=signing.member_id), by=signing.people.deployment.operator)
    assert "a member of the account" in await signing.refused(token)


async def test_claims_are_mapped_as_the_settings_say_and_an_address_counts_only_if_it_was_verified(
    signing: Signing,
) -> None:
    people = signing.people
    await member_of(people, people.client.account_id, "Zoë@Example.com", Role.VIEWER)
    signing.use(account_claim="org", person_claim="email", scope_claim="scp")
    said = claims(
        sub="x", org=people.client.account_id, email="ZOË@example.com", scp=["contracts:read"], scope="operator"
    )
    assert (await signing.let_in(signed(said | {"email_verified": True})))["scopes"] == ["CONTRACTS_READ"]
    for unverified in ({}, {"email_verified": False}, {"email_verified": "true"}, {"email_verified": 1}):
        assert "not verified" in await signing.refused(signed(said | unverified))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example/"},
        {"iss": "https://id.example.com"},
        {"iss": [PROVIDER.issuer]},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": ["another", "service"]},
        {"aud": {"earnest": True}},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
        {"exp": "soon"},
        {"exp": [9e9]},
        {"iat": None},
        {"iat": IN_A_CENTURY},
        {"nbf": IN_A_CENTURY},
        {"exp": 2**62},
        {"exp": 1e300},
    ],
)
async def test_what_is_not_of_our_provider_for_us_and_now_is_refused(signing: Signing, changes: dict[str, Any]) -> None:
    await signing.refused(signed(signing.said(**changes)))


async def test_clocks_may_differ_by_a_minute_and_no_more(signing: Signing) -> None:
    now = int(time.time())
    await signing.let_in(signed(signing.said(exp=now - 40)))
    assert "expired" in await signing.refused(signed(signing.said(exp=now - 80)))
    await signing.let_in(signed(signing.said(iat=now + 40, nbf=now + 40)))
    await signing.refused(signed(signing.said(nbf=now + 80)))


async def test_of_several_audiences_ours_must_be_one(signing: Signing) -> None:
    await signing.let_in(signed(signing.said(aud=["another", "earnest"])))


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS1", "ES256K", None, 7, ["RS256"]]
)
async def test_a_token_without_a_signature_of_ours_to_check_is_refused(signing: Signing, algorithm: Any) -> None:
    header = {"alg": algorithm, "kid": "RS256", "typ": "JWT"}
    await signing.refused(forged(signing.said(), header))
    await signing.refused(forged(signing.said(), header, b"x" * 256))
    good = signed(signing.said())
    await signing.refused(good.rpartition(".")[0] + ".")


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
async def test_nobody_signs_with_the_public_key_as_a_shared_secret(signing: Signing, kind: str) -> None:
    for secret in published(kind):
        for algorithm in ("HS256", kind):
            token = forged(signing.said(), {"alg": algorithm, "kid": kind, "typ": "JWT"}, secret=secret)
            await signing.refused(token)


async def test_a_shared_secret_that_the_provider_publishes_by_mistake_signs_nothing(signing: Signing) -> None:
    signing.provider.keys.append({"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256", "use": "sig"})
    for algorithm in ("HS256", "RS256", "EdDSA"):
        await signing.refused(forged(signing.said(), {"alg": algorithm, "kid": "shared"}, secret=b"secret"))


async def test_no_algorithm_is_swapped_for_another(signing: Signing) -> None:
    """A key is good for the algorithm that it was published for, of its own type and curve."""
    own = rsa.generate_private_key(65537, 2048)
    signing.provider.keys = [
        jwk(own, "only-rs256", alg="RS256"),
        jwk(own, "to-encrypt", use="enc"),
        jwk(ec.generate_private_key(ec.SECP256R1()), "p256"),
    ]
    await signing.let_in(signed(signing.said(), kind="RS256", name="only-rs256", private=own))
    await signing.refused(signed(signing.said(), kind="PS256", name="only-rs256", private=own))
    await signing.refused(signed(signing.said(), kind="RS256", name="to-encrypt", private=own))
    await signing.refused(signed(signing.said(), kind="RS256", name="p256", private=own))
    other = ec.generate_private_key(ec.SECP384R1())
    await signing.refused(signed(signing.said(), kind="ES384", name="p256", private=other))


async def test_a_key_of_somebody_else_signs_nothing_whatever_the_header_says_of_it(signing: Signing) -> None:
    own = rsa.generate_private_key(65537, 2048)
    header: dict[str, Any] = {
        "jwk": jwk(own, "RS256"),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/cert",
        "x5c": ["MIIB"],
    }
    for name, value in header.items():
        await signing.refused(signed(signing.said(), private=own, name="RS256", **{name: value}))
    assert signing.provider.fetches == 1, "nobody else's address is asked"


async def test_weak_keys_and_what_is_none_are_not_taken(signing: Signing) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is tried
    signing.provider.keys = [
        jwk(weak, "weak"),
        {"kty": "RSA", "kid": "broken", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": "AAAA", "y": "AAAA"},
        {"kid": "nothing"},
        jwk(weak, "twice"),
        jwk(weak, "twice"),
    ]
    for name in ("weak", "broken", "nothing", "twice"):
        await signing.refused(signed(signing.said(), private=weak, name=name))
    own = ec.generate_private_key(ec.SECP256R1())
    await signing.refused(signed(signing.said(), kind="ES256", private=own, name="off-curve"))


async def test_a_changed_token_is_refused_wherever_it_was_changed(signing: Signing) -> None:
    header, payload, signature = signed(signing.said()).split(".")
    richer = forged(signing.said(scope="contracts:read money:write"), {"alg": "RS256", "kid": "RS256"}).split(".")[1]
    for token in (
        f"{header}.{richer}.{signature}",
        f"{header}.{payload}.{signature[:-6]}AAAAAA",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{header}.{payload}.{signature}=",
        "..",
        "a.b.c",
        "ek_.",
        f"{header}.{'A' * TOKEN_CHARACTERS_MAX}.{signature}",
    ):
        await signing.refused(token)


async def test_extensions_that_must_be_understood_and_names_that_are_none_are_refused(signing: Signing) -> None:
    await signing.refused(signed(signing.said(), crit=["b64"], b64=False))
    for name in ("", "x" * 201, None, 7, ["RS256"]):
        await signing.refused(forged(signing.said(), {"alg": "RS256", "kid": name}, b"x" * 256))
    await signing.refused(forged(signing.said(), {"alg": "RS256"}, b"x" * 256))


async def test_behind_a_barred_address_a_right_token_waits_the_first_time_only(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, waits = signing.app.state.door.rates, []

    async def pause(client: str) -> None:
        waits.append(client)

    monkeypatch.setattr(rates, "is_barred", lambda _: True)
    monkeypatch.setattr(rates, "pause", pause)
    token = signed(signing.said())
    for _ in range(3):
        await signing.let_in(token)
        assert len(waits) == 1
    await pipeline.run(commands.RemoveMember(member_id=signing.member_id), by=signing.people.deployment.operator)
    await signing.refused(token)
    assert len(waits) == 2, "as somebody whose token was right; the refusal is told at its pace"
    await signing.refused(token)
    assert len(waits) == 4, "as anybody whose token isn't"


async def test_of_so_many_tokens_at_most_it_is_known_that_they_were_right(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_tokens, "RIGHT_KEPT_MAX", 2)
    tokens = [signed(signing.said(jti=name)) for name in ("a", "b", "c")]
    for token in (tokens[0], tokens[1], tokens[0], tokens[2]):
        await signing.let_in(token)
    was_right = signing.app.state.door.authentication.was_right
    assert [was_right(f"Bearer {token}") for token in tokens] == [True, False, True]


async def test_without_an_identity_provider_no_token_is_taken(signing: Signing) -> None:
    signing.app.state.door.authentication.identity = None
    assert "Bearer ek_" in await signing.refused(signed(signing.said()))
    assert signing.provider.fetches == 0


def test_the_settings_of_a_provider_are_what_the_door_is_given() -> None:
    assert IdentityProvider(jwks_url="u", issuer="i", audience="a").person_claim == "sub"
