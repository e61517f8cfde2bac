"""Random histories of one account by random people: after every step docs/law.md, section 1, holds, whatever was asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from escrow import codec, ids, log
from escrow.access import SYSTEM, AccountType, Actor, Role, Scope
from escrow.accounts import commands, events
from escrow.accounts.commands import endpoints
from escrow.accounts.decide import decide
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import SECRETS_MAX, Algorithm, DisabledReason
from escrow.agreement.events import Event, Recorded
from escrow.errors import DomainError
from tests.escrow.accounts.people import (
    ANA,
    AROUND,
    CONTRACT_ID,
    OTHER_CONTRACT_ID,
    OTHER_ID,
    STUDIO_ID,
    THE_OPERATOR,
    TOKEN,
    actor,
    browser,
    identifier,
)
from tests.escrow.accounts.people import sealed as made_up

MEMBERS: Final = [ANA.id, *(identifier(ids.Kind.MEMBER, 20 + number) for number in range(4))]
KEYS: Final = [identifier(ids.Kind.KEY, 20 + number) for number in range(5)]
SESSIONS: Final = [identifier(ids.Kind.SESSION, 20 + number) for number in range(4)]
PERSONS: Final = ["ana@studio.example", "BEN@studio.example", " ben@studio.example", "auth0|C", ""]
CONTRACTS: Final = [CONTRACT_ID, OTHER_CONTRACT_ID]
BORN: Final = events.AccountCreated(account_type=AccountType.AGENCY, is_operator=False, name="Studio")
FIRST: Final = events.MemberAdded(member_id=ANA.id, role=Role.OWNER, person=ANA.person, name=ANA.name)

some_scopes = st.frozensets(st.sampled_from(Scope), max_size=4)
some_contracts = st.none() | st.frozensets(st.sampled_from(CONTRACTS), min_size=1)

some_limit = some_contracts.map(lambda found: endpoints.Limit(tuple(sorted(found)) if found else None))
some_endpoint = st.sampled_from([identifier(ids.Kind.ENDPOINT, 20 + number) for number in range(3)])
some_address = st.sampled_from(["https://a.example", "https://b.example", ""]).map(endpoints.Address)
some_types = st.none() | st.sampled_from([("*",), ("milestone.*", "milestone.released"), ("nonsense",)])

someone = st.one_of(
    st.just(THE_OPERATOR),
    st.just(SYSTEM),
    st.builds(lambda by, key_id: replace(by, key_id=key_id), st.just(actor()), st.sampled_from(KEYS)),
    st.builds(browser, contracts=st.none() | some_contracts),
    st.builds(lambda session_id: replace(browser(), session_id=session_id), st.sampled_from(SESSIONS)),
    st.builds(
        actor,
        st.sampled_from([STUDIO_ID, STUDIO_ID, STUDIO_ID, OTHER_ID]),
        role=st.sampled_from([Role.OWNER, Role.OWNER, Role.MANAGER]),
        scopes=st.just(frozenset(Scope) - {Scope.OPERATOR}) | some_scopes.map(lambda scopes: scopes - {Scope.OPERATOR}),
        contracts=st.none() | some_contracts,
    ),
)

something = st.one_of(
    st.builds(commands.DisableAccount, account_id=st.just(STUDIO_ID)),
    st.builds(commands.EnableAccount, account_id=st.just(STUDIO_ID)),
    st.builds(commands.AppointMediator, account_id=st.just(STUDIO_ID)),
    st.builds(commands.DismissMediator, account_id=st.just(STUDIO_ID)),
    st.builds(
        commands.AddMember,
        account_id=st.just(STUDIO_ID),
        member_id=st.sampled_from(MEMBERS),
        person=st.sampled_from(PERSONS),
        name=st.just("Somebody"),
        role=st.sampled_from(Role),
    ),
    st.builds(commands.RemoveMember, member_id=st.sampled_from(MEMBERS)),
    st.builds(
        commands.CreateApiKey,
        account_id=st.just(STUDIO_ID),
        key_id=st.sampled_from(KEYS),
        name=st.just("key"),
        scopes=some_scopes.map(tuple),
        token=st.just(TOKEN),
        member_id=st.none() | st.sampled_from(MEMBERS),
        contract_ids=some_contracts.map(lambda found: tuple(sorted(found)) if found else None),
    ),
    st.builds(commands.RevokeApiKey, key_id=st.sampled_from(KEYS)),
    st.builds(
        commands.CreateSession,
        account_id=st.just(STUDIO_ID),
        session_id=st.sampled_from(SESSIONS),
        scopes=some_scopes.map(tuple),
        token=st.just(TOKEN),
        member_id=st.none() | st.sampled_from(MEMBERS),
        contract_ids=some_contracts.map(lambda found: tuple(sorted(found)) if found else None),
        is_link=st.booleans(),
    ),
    st.builds(commands.OpenSession, session_id=st.sampled_from(SESSIONS), token=st.just(TOKEN)),
    st.builds(commands.RevokeSession, session_id=st.sampled_from(SESSIONS)),
    st.builds(
        endpoints.CreateEndpoint,
        account_id=st.just(STUDIO_ID),
        endpoint_id=some_endpoint,
        address=some_address,
        secrets=st.just(()),
        event_types=some_types,
        limit=some_limit,
    ),
    st.builds(
        endpoints.UpdateEndpoint,
        endpoint_id=some_endpoint,
        address=st.none() | some_address,
        event_types=some_types,
        limit=st.none() | some_limit,
        expected_version=st.none() | st.integers(1, 3),
    ),
    st.builds(endpoints.EnableEndpoint, endpoint_id=some_endpoint),
    st.builds(endpoints.DisableEndpoint, endpoint_id=some_endpoint, reason=st.sampled_from(DisabledReason)),
    st.builds(endpoints.DeleteEndpoint, endpoint_id=some_endpoint),
    st.builds(
        endpoints.RotateSecret,
        endpoint_id=some_endpoint,
        secrets=st.just(()),
        algorithms=st.none() | st.sampled_from([(), tuple(Algorithm), (Algorithm.ED25519,)]),
        overlap=st.sampled_from([timedelta(0), timedelta(hours=24)]),
    ),
)


def owners(account: Account) -> int:
    return sum(member.role is Role.OWNER for member in account.present_members)


def check(account: Account) -> None:
    """What is true of every account after every step."""
    assert owners(account) >= 1
    persons = [member.person for member in account.present_members]
    assert len(set(persons)) == len(persons)
    for key in account.valid_keys:
        assert key.scopes
        assert Scope.OPERATOR not in key.scopes
        assert key.member_id is None or account.members[key.member_id].removed_at is None
    for session in account.sessions.values():
        maker = account.keys.get(session.created_by or "")
        assert session.ended_at is not None or maker is None or maker.revoked_at is None, "none outlives its key"
        assert (
            session.ended_at is not None
            or session.member_id is None
            or not account.members[session.member_id].removed_at
        )
    for endpoint in account.present_endpoints:
        assert endpoint.url
        assert endpoint.algorithms, "something signs"
        assert len({secret.facts.fingerprint for secret in endpoint.secrets}) == len(endpoint.secrets) <= SECRETS_MAX


def with_fresh_secrets(command: commands.AccountCommand, number: int) -> commands.AccountCommand:
    """Secrets are never the same twice, so none are drawn: each step of a history has its own."""
    if not isinstance(command, endpoints.CreateEndpoint | endpoints.RotateSecret):
        return command
    return replace(command, secrets=tuple(made_up(one, 2 * number + place) for place, one in enumerate(Algorithm)))


def check_powers(found: list[Event], by: Actor, before: Account) -> None:
    """Nobody but the operator gives more than their own key has, and no disabled account gives anything."""
    for event in found:
        if isinstance(event, events.KeyCreated) and by != THE_OPERATOR:
            assert by.role is Role.OWNER
            assert by.scopes.issuperset(event.scopes)
            assert by.contract_ids is None or by.contract_ids.issuperset(event.contract_ids or {"all"})
        if isinstance(event, events.SessionCreated) and by != THE_OPERATOR:
            assert by.scopes.issuperset(event.scopes)
            assert by.contract_ids is None or by.contract_ids.issuperset(event.contract_ids or {"all"})
        if by.session_id is not None:
            assert not isinstance(event, events.KeyCreated | events.MemberAdded | events.SessionCreated)
            assert not isinstance(event, events.EndpointCreated | events.EndpointChanged | events.EndpointSecretRotated)
            assert by.contract_ids is None or isinstance(event, events.SessionEnded)
        if isinstance(event, events.KeyCreated | events.MemberAdded | events.SessionCreated) and by != THE_OPERATOR:
            assert before.disabled_at is None
        if isinstance(event, events.EndpointCreated | events.EndpointChanged) and by != THE_OPERATOR:
            assert before.disabled_at is None
            assert by.contract_ids is None or by.contract_ids.issuperset(event.contract_ids or {"all"})
        if by == SYSTEM:
            assert isinstance(event, events.EndpointDisabled)
        elif by != THE_OPERATOR:
            assert by.account_id == before.id


def opened(account: Account) -> dict[str, tuple[object, ...]]:
    """What authentication answers with for each key and session that opens something."""
    roles = {member.id: member.role for member in account.present_members}
    browsers: dict[str, tuple[object, ...]] = {
        one.id: (roles.get(one.member_id or ""), one.scopes, one.contract_ids, account.is_mediator)
        for one in account.sessions.values()
        if one.ended_at is None and not one.is_waiting
    }
    return browsers | {
        key.id: (roles.get(key.member_id or ""), key.scopes, key.contract_ids, account.is_mediator)
        for key in account.keys.values()
        if key.revoked_at is None and (key.member_id is None or key.member_id in roles)
    }


@given(st.lists(st.tuples(someone, something), max_size=40))
def test_every_rule_holds_after_every_step_and_the_log_gives_the_state(
    history: list[tuple[Actor, commands.AccountCommand]],
) -> None:
    around = replace(AROUND, reachable_contract_ids=frozenset(CONTRACTS))
    recorded = [Recorded(event, AROUND.now, THE_OPERATOR) for event in (BORN, FIRST)]
    state: Account | None = None
    for one in recorded:
        state = evolve(state, STUDIO_ID, one)
    for number, (by, asked) in enumerate(history):
        assert state is not None
        command = with_fresh_secrets(asked, number)
        try:
            found = list(decide(state, command, actor=by, around=around))
        except DomainError:
            continue
        check_powers(found, by, state)
        before = opened(state)
        for event in found:
            recorded.append(Recorded(event, AROUND.now, by))
            state = evolve(state, STUDIO_ID, recorded[-1])
        check(state)
        after = opened(state)
        assert (
            command.changes_keys
            or command.ends_sessions
            or all(after.get(key_id) == what for key_id, what in before.items())
        )
    assert folded_from_the_log(recorded) == state


def folded_from_the_log(recorded: list[Recorded]) -> Account | None:
    """The account that the sealed events give when they are read back."""
    state = None
    for sealed in log.seal(STUDIO_ID, version=0, last_hash=None, recorded=recorded):
        row = {"body": sealed.body}
        state = evolve(state, STUDIO_ID, log.open_(row, {text.field: text.body for text in sealed.texts}))
    return state


def test_the_largest_event_fits_the_log() -> None:
    contracts = tuple(identifier(ids.Kind.CONTRACT, number) for number in range(100))
    key = events.KeyCreated(
        key_id=KEYS[0],
        member_id=MEMBERS[0],
        scopes=tuple(Scope),
        contract_ids=contracts,
        expires_at=AROUND.now,
        hint=TOKEN.hint,
        fingerprint=TOKEN.fingerprint,
        name="x",
    )
    by = replace(THE_OPERATOR, key_id=KEYS[0], member_id=MEMBERS[0])
    (sealed,) = log.seal(STUDIO_ID, version=10**12, last_hash="0" * 64, recorded=[Recorded(key, AROUND.now, by)])
    assert len(sealed.body.encode()) < 16_384
    assert codec.payload_schema(events.KeyCreated)
