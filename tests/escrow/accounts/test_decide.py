"""What commands on accounts cause, and every refusal that is not about who asks: states, limits, inputs, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest

from escrow import codec, ids
from escrow.access import AccountType, Actor, Role, Scope
from escrow.accounts import commands, events
from escrow.accounts.evolve import evolve
from escrow.accounts.state import KEYS_MAX, MEMBERS_MAX, Account, AccountSurroundings, Member
from escrow.agreement.events import Event, Recorded
from escrow.agreement.state import Fees
from escrow.errors import DomainError, ErrorCode
from tests.escrow.accounts.endpoint_examples import endpoint_examples
from tests.escrow.accounts.people import (
    ANA,
    AROUND,
    BEN,
    BENS_KEY,
    CLEO,
    CONTRACT_ID,
    GONE,
    LIMITED_KEY,
    NEW_ACCOUNT_ID,
    NEW_KEY_ID,
    NEW_MEMBER_ID,
    NEW_SESSION_ID,
    NOW,
    OFFICE_KEY,
    OPERATOR,
    OPERATOR_ID,
    OTHER_CONTRACT_ID,
    OTHER_ID,
    OWNER,
    STUDIO,
    STUDIO_ID,
    THE_OPERATOR,
    TOKEN,
    actor,
    identifier,
    in_days,
    key,
    outcome,
)

NOT_NAMES = ["", "   ", "x" * 201, "nul\0", "\ud800", "two\nlines", "\x1b[31mred", "line\u2028separator",
    "\u200b", "\u3164\u115f", "\u2800", "evil\u202e", "\u2066open", "closes\u2069", "a\U000e0061\U000e0062"]  # fmt: skip
ODD_NAMES = ["Zoë Ångström", "株式会社アーネスト", "🦊", "x" * 200, "O'Hara; DROP TABLE accounts", "مرحبا",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "👩\u200d💻", "❤\ufe0f", "葛\U000e0100",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"]  # fmt: skip


def refused(
    state: Account | None,
    command: commands.AccountCommand,
    *,
    by: Actor = OWNER,
    around: AccountSurroundings = AROUND,
) -> DomainError:
    with pytest.raises(DomainError) as caught:
        outcome(state, command, by=by, around=around)
    return caught.value


def adding(person: str = "eve@studio.example", name: str = "Eve", role: Role = Role.MEMBER) -> commands.AddMember:
    return commands.AddMember(account_id=STUDIO_ID, member_id=NEW_MEMBER_ID, person=person, name=name, role=role)


def making_key(
    account_id: str = STUDIO_ID,
    *,
    scopes: tuple[Scope, ...] = (Scope.CONTRACTS_READ,),
    name: str = "sync",
    contract_ids: tuple[str, ...] | None = None,
    member_id: str | None = None,
    expires_at: datetime | None = None,
) -> commands.CreateApiKey:
    return commands.CreateApiKey(
        account_id=account_id,
        key_id=NEW_KEY_ID,
        name=name,
        scopes=scopes,
        token=TOKEN,
        contract_ids=contract_ids,
        member_id=member_id,
        expires_at=expires_at,
    )


# Accounts


def test_an_account_is_created_with_its_first_owner() -> None:
    owner = commands.MemberDraft(member_id=NEW_MEMBER_ID, person=" Ana@Studio.Example ", name="Ana")
    command = commands.CreateAccount(account_id=NEW_ACCOUNT_ID, name="Studio", type=AccountType.AGENCY, owner=owner)
    found, after = outcome(None, command, by=THE_OPERATOR)
    assert [event.type for event in found] == ["account.created", "member.added"]
    assert after is not None
    assert (after.name, after.type, after.is_operator, after.is_mediator) == (
        "Studio",
        AccountType.AGENCY,
        False,
        False,
    )
    assert after.members[NEW_MEMBER_ID] == Member(NEW_MEMBER_ID, "ana@studio.example", "Ana", Role.OWNER, NOW)


def test_the_operators_account_is_created_once() -> None:
    command = commands.CreateOperator(account_id=NEW_ACCOUNT_ID, name="Earnest")
    around = replace(AROUND, operator_exists=False)
    _, after = outcome(None, command, by=THE_OPERATOR, around=around)
    assert after is not None
    assert after.is_operator
    assert refused(None, command, by=THE_OPERATOR).code is ErrorCode.INVALID_STATE


def test_an_account_is_not_created_over_another() -> None:
    command = commands.CreateAccount(account_id=STUDIO_ID, name="New", type=AccountType.AGENCY)
    assert refused(STUDIO, command, by=THE_OPERATOR).code is ErrorCode.INVALID_STATE


@pytest.mark.parametrize("account_id", ["", "acc_1", "ctr_" + "0" * 26, "acc_\0"])
def test_an_account_needs_an_identifier_of_its_kind(account_id: str) -> None:
    command = commands.CreateAccount(account_id=account_id, name="New", type=AccountType.AGENCY)
    assert refused(None, command, by=THE_OPERATOR).field == "accountId"


def test_what_already_is_changes_nothing_and_is_no_error() -> None:
    disabled = replace(STUDIO, disabled_at=NOW)
    mediator = replace(STUDIO, is_mediator=True)
    for state, command in (
        (disabled, commands.DisableAccount(account_id=STUDIO_ID)),
        (STUDIO, commands.EnableAccount(account_id=STUDIO_ID)),
        (mediator, commands.AppointMediator(account_id=STUDIO_ID)),
        (STUDIO, commands.DismissMediator(account_id=STUDIO_ID)),
        (STUDIO, commands.RemoveMember(member_id=GONE.id)),
        (OPERATOR, commands.SetFees(client_bps=0, freelancer_bps=0)),
    ):
        assert outcome(state, command, by=THE_OPERATOR) == ((), state)


def test_disabling_and_enabling_appointing_and_dismissing_are_facts() -> None:
    state: Account | None = STUDIO
    types = []
    for command in (
        commands.DisableAccount(account_id=STUDIO_ID),
        commands.EnableAccount(account_id=STUDIO_ID),
        commands.AppointMediator(account_id=STUDIO_ID),
        commands.DismissMediator(account_id=STUDIO_ID),
    ):
        found, state = outcome(state, command, by=THE_OPERATOR)
        types += [event.type for event in found]
    assert types == ["account.disabled", "account.enabled", "account.mediator_appointed", "account.mediator_dismissed"]
    assert state == STUDIO


def test_the_operator_itself_is_neither_disabled_nor_a_mediator() -> None:
    for command in (
        commands.DisableAccount(account_id=OPERATOR_ID),
        commands.AppointMediator(account_id=OPERATOR_ID),
    ):
        assert refused(OPERATOR, command, by=THE_OPERATOR).code is ErrorCode.INVALID_STATE


@pytest.mark.parametrize("name", NOT_NAMES)
def test_a_name_is_one_line_of_text(name: str) -> None:
    creating = commands.CreateAccount(account_id=NEW_ACCOUNT_ID, name=name, type=AccountType.AGENCY)
    assert refused(None, creating, by=THE_OPERATOR).field == "name"
    assert refused(STUDIO, adding(name=name)).field == "name"
    assert refused(STUDIO, making_key(name=name)).field == "name"
    owner = commands.MemberDraft(member_id=NEW_MEMBER_ID, person="a@b.example", name=name)
    assert refused(None, replace(creating, name="New", owner=owner), by=THE_OPERATOR).field == "owner.name"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_may_be_of_any_script_and_stays_as_it_was_given(name: str) -> None:
    _, after = outcome(STUDIO, adding(name=name))
    assert after is not None
    assert after.members[NEW_MEMBER_ID].name == name


# Members


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" Eve@Studio.Example\t", "eve@studio.example"),
        ("auth0|AbC", "auth0|AbC"),
        ("e\u0301ve@x.example", "\u00e9ve@x.example"),
    ],
)
def test_a_person_is_kept_in_one_spelling(given: str, kept: str) -> None:
    _, after = outcome(STUDIO, adding(given))
    assert after is not None
    assert after.members[NEW_MEMBER_ID].person == kept


@pytest.mark.parametrize("person", ["", " ", "x" * 321, "nul\0@x.example", "\udfff", "a\nb"])
def test_a_person_is_one_line_of_text(person: str) -> None:
    found = refused(STUDIO, adding(person))
    assert (found.code, found.field) == (ErrorCode.INVALID_INPUT, "person")


def test_the_same_person_is_not_added_twice_however_it_is_spelt() -> None:
    found = refused(STUDIO, adding("ANA@studio.example "))
    assert (found.code, found.details) == (ErrorCode.INVALID_STATE, {"memberId": ANA.id})


def test_a_person_who_was_removed_may_be_added_again() -> None:
    _, after = outcome(STUDIO, adding(GONE.person))
    assert after is not None
    assert after.members[NEW_MEMBER_ID].removed_at is None


def test_a_member_of_the_other_party_is_not_added() -> None:
    found = refused(STUDIO, adding(), around=replace(AROUND, shared_with=OTHER_ID))
    assert found.code is ErrorCode.SAME_PARTY


def test_same_party_comes_before_invalid_input_and_after_the_state() -> None:
    around = replace(AROUND, shared_with=OTHER_ID)
    assert refused(STUDIO, adding(name=""), around=around).code is ErrorCode.SAME_PARTY
    assert refused(STUDIO, adding(ANA.person), around=around).code is ErrorCode.INVALID_STATE


def test_the_number_of_members_is_bounded() -> None:
    many = {identifier(ids.Kind.MEMBER, 100 + n): n for n in range(MEMBERS_MAX)}
    full = replace(STUDIO, members={one: replace(CLEO, id=one, person=f"p{n}") for one, n in many.items()})
    assert refused(full, adding()).code is ErrorCode.INVALID_STATE
    _, after = outcome(replace(full, members=dict(list(full.members.items())[1:])), adding())
    assert after is not None
    assert len(after.present_members) == MEMBERS_MAX


def test_removing_a_member_ends_their_keys_in_the_same_step() -> None:
    found, after = outcome(STUDIO, commands.RemoveMember(member_id=BEN.id))
    assert found == (
        events.MemberRemoved(member_id=BEN.id),
        events.KeyRevoked(key_id=BENS_KEY.id, reason=events.RevocationReason.MEMBER_REMOVED),
    )
    assert after is not None
    assert after.members[BEN.id].removed_at == NOW
    assert after.keys[BENS_KEY.id].revoked_at == NOW
    assert after.keys[OFFICE_KEY.id] is OFFICE_KEY


@pytest.mark.parametrize("by", [OWNER, THE_OPERATOR])
def test_the_last_owner_is_not_removed_by_anybody(by: Actor) -> None:
    alone = replace(STUDIO, members={member.id: member for member in (ANA, CLEO, GONE)})
    assert refused(alone, commands.RemoveMember(member_id=ANA.id), by=by).code is ErrorCode.INVALID_STATE
    assert outcome(alone, commands.RemoveMember(member_id=CLEO.id), by=by)[0]


# Keys


def test_a_key_acts_as_a_member_within_scopes_contracts_and_time() -> None:
    command = making_key(
        scopes=(Scope.MONEY_WRITE, Scope.CONTRACTS_READ, Scope.MONEY_WRITE),
        contract_ids=(CONTRACT_ID, CONTRACT_ID),
        member_id=CLEO.id,
        expires_at=in_days(30),
    )
    around = replace(AROUND, reachable_contract_ids=frozenset({CONTRACT_ID}))
    (found,), after = outcome(STUDIO, command, around=around)
    assert isinstance(found, events.KeyCreated)
    assert after is not None
    made = after.keys[NEW_KEY_ID]
    assert made.scopes == (Scope.CONTRACTS_READ, Scope.MONEY_WRITE)
    assert (made.contract_ids, made.member_id, made.expires_at) == ((CONTRACT_ID,), CLEO.id, in_days(30))
    assert (made.hint, made.fingerprint) == (TOKEN.text[-4:], TOKEN.fingerprint)


def test_no_secret_and_no_digest_of_one_is_in_an_event() -> None:
    (found,), _ = outcome(STUDIO, making_key())
    written = repr(codec.encode(found)) + repr(found)
    assert TOKEN.text not in written
    assert TOKEN.digest.hex() not in written
    assert TOKEN.text not in repr(making_key())


def test_a_key_gives_no_scope_that_it_lacks_itself() -> None:
    reader = actor(scopes=frozenset({Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE}))
    found = refused(STUDIO, making_key(scopes=(Scope.CONTRACTS_READ, Scope.MONEY_WRITE)), by=reader)
    assert (found.code, found.details) == (ErrorCode.FORBIDDEN, {"scopes": ["money:write"]})
    assert refused(STUDIO, making_key(scopes=(Scope.OPERATOR,))).code is ErrorCode.FORBIDDEN


def test_the_operator_gives_scopes_that_its_own_key_lacks() -> None:
    assert outcome(STUDIO, making_key(scopes=(Scope.MONEY_WRITE,)), by=THE_OPERATOR)[0]


def test_the_scope_operator_is_for_the_operators_account_only() -> None:
    assert refused(STUDIO, making_key(scopes=(Scope.OPERATOR,)), by=THE_OPERATOR).code is ErrorCode.INVALID_INPUT
    assert outcome(OPERATOR, making_key(OPERATOR_ID, scopes=(Scope.OPERATOR,)), by=THE_OPERATOR)[0]


def test_a_limited_key_makes_only_keys_limited_to_its_contracts() -> None:
    limited = actor(contracts=frozenset({CONTRACT_ID}))
    around = replace(AROUND, reachable_contract_ids=frozenset({CONTRACT_ID, OTHER_CONTRACT_ID}))
    assert refused(STUDIO, making_key(), by=limited, around=around).code is ErrorCode.FORBIDDEN
    both = making_key(contract_ids=(CONTRACT_ID, OTHER_CONTRACT_ID))
    assert refused(STUDIO, both, by=limited, around=around).code is ErrorCode.NOT_FOUND
    assert outcome(STUDIO, making_key(contract_ids=(CONTRACT_ID,)), by=limited, around=around)[0]


def test_a_limited_key_ends_only_keys_limited_to_its_contracts() -> None:
    limited = actor(contracts=frozenset({CONTRACT_ID}))
    for other in (OFFICE_KEY, key(5, contracts=(CONTRACT_ID, OTHER_CONTRACT_ID))):
        state = replace(STUDIO, keys={other.id: other})
        assert refused(state, commands.RevokeApiKey(key_id=other.id), by=limited).code is ErrorCode.FORBIDDEN
    assert outcome(STUDIO, commands.RevokeApiKey(key_id=LIMITED_KEY.id), by=limited)[0]


def test_a_key_is_not_limited_to_what_is_not_the_accounts() -> None:
    found = refused(STUDIO, making_key(contract_ids=(CONTRACT_ID,)))
    assert (found.code, found.field) == (ErrorCode.NOT_FOUND, "contractIds.0")


def test_a_key_is_for_a_member_of_the_account_who_is_there() -> None:
    unknown = refused(STUDIO, making_key(member_id=NEW_MEMBER_ID))
    assert (unknown.code, unknown.field) == (ErrorCode.NOT_FOUND, "memberId")
    assert refused(STUDIO, making_key(member_id=GONE.id)).code is ErrorCode.INVALID_STATE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": ()}, "scopes"),
        ({"contract_ids": ()}, "contractIds"),
        ({"expires_at": NOW}, "expiresAt"),
        ({"expires_at": in_days(-1)}, "expiresAt"),
        ({"expires_at": in_days(1).replace(tzinfo=None)}, "expiresAt"),
        ({"expires_at": in_days(1).replace(year=9999)}, "expiresAt"),
        ({"key_id": "key_1"}, "keyId"),
    ],
)
def test_a_key_with_a_value_that_no_state_accepts_is_refused(changes: dict[str, Any], field: str) -> None:
    found = refused(STUDIO, replace(making_key(), **changes))
    assert (found.code, found.field) == (ErrorCode.INVALID_INPUT, field)


def test_a_key_names_at_most_a_hundred_contracts() -> None:
    many = tuple(identifier(ids.Kind.CONTRACT, number) for number in range(101))
    around = replace(AROUND, reachable_contract_ids=frozenset(many))
    assert refused(STUDIO, making_key(contract_ids=many), around=around).field == "contractIds"
    assert outcome(STUDIO, making_key(contract_ids=many[:100]), around=around)[0]


def test_keys_expire_by_the_real_clock_not_by_the_test_clock() -> None:
    around = replace(AROUND, now=in_days(400))
    assert outcome(STUDIO, making_key(expires_at=in_days(1)), around=around)[0]


def test_the_number_of_keys_is_bounded() -> None:
    keys = [key(100 + number) for number in range(KEYS_MAX)]
    full = replace(STUDIO, keys={one.id: one for one in keys})
    assert refused(full, making_key()).code is ErrorCode.INVALID_STATE
    after_one = outcome(full, commands.RevokeApiKey(key_id=keys[0].id))[1]
    assert outcome(after_one, making_key())[0]


def test_the_same_key_is_not_created_twice() -> None:
    _, after = outcome(STUDIO, making_key())
    assert refused(after, making_key()).code is ErrorCode.INVALID_STATE


def test_revoking_twice_is_one_fact() -> None:
    found, after = outcome(STUDIO, commands.RevokeApiKey(key_id=OFFICE_KEY.id))
    assert found == (events.KeyRevoked(key_id=OFFICE_KEY.id, reason=events.RevocationReason.REVOKED),)
    assert outcome(after, commands.RevokeApiKey(key_id=OFFICE_KEY.id)) == ((), after)


# Fees


def test_fees_are_set_in_basis_points() -> None:
    found, after = outcome(OPERATOR, commands.SetFees(client_bps=250, freelancer_bps=10_000), by=THE_OPERATOR)
    assert found == (events.FeesChanged(fees=Fees(250, 10_000)),)
    assert after is not None
    assert after.fees == Fees(250, 10_000)


@pytest.mark.parametrize(
    ("client_bps", "freelancer_bps", "field"), [(-1, 0, "clientBasisPoints"), (0, 10_001, "freelancerBasisPoints")]
)
def test_a_fee_is_nothing_to_everything(client_bps: int, freelancer_bps: int, field: str) -> None:
    command = commands.SetFees(client_bps=client_bps, freelancer_bps=freelancer_bps)
    assert refused(OPERATOR, command, by=THE_OPERATOR).field == field


def test_fees_need_an_operator_to_be_recorded_with() -> None:
    command = commands.SetFees(client_bps=1, freelancer_bps=1)
    assert refused(None, command, by=THE_OPERATOR).code is ErrorCode.INVALID_STATE


# Events


def examples() -> Sequence[Event]:
    return (
        events.AccountCreated(account_type=AccountType.AGENCY, is_operator=False, name="Zoë"),
        events.AccountDisabled(),
        events.AccountEnabled(),
        events.MediatorAppointed(),
        events.MediatorDismissed(),
        events.RateSet(points_per_second=2_500),
        events.MemberAdded(member_id=ANA.id, role=Role.OWNER, person=ANA.person, name=ANA.name),
        events.MemberRemoved(member_id=ANA.id),
        *outcome(STUDIO, making_key(member_id=CLEO.id, expires_at=in_days(1)))[0],
        *outcome(STUDIO, making_key())[0],
        events.KeyRevoked(key_id=NEW_KEY_ID, reason=events.RevocationReason.REVOKED),
        events.FeesChanged(fees=Fees(1, 2)),
        events.PayeeChanged(
            provider="stripe", payee_id="acct_1", can_be_paid=False, missing=("external_account",), until=in_days(1)
        ),
        *outcome(STUDIO, making_session())[0],
        *outcome(STUDIO, making_session(is_link=True))[0],
        events.SessionOpened(session_id=NEW_SESSION_ID, expires_at=in_days(0.5), hint="wxyz", fingerprint="0" * 64),
        events.SessionEnded(session_id=NEW_SESSION_ID, reason=events.SessionEnding.REVOKED),
        *endpoint_examples(),
    )


def making_session(*, is_link: bool = False) -> commands.CreateSession:
    return commands.CreateSession(
        account_id=STUDIO_ID,
        member_id=None,
        session_id=NEW_SESSION_ID,
        scopes=(Scope.CONTRACTS_READ,),
        token=TOKEN,
        origins=("https://app.example.com",),
        is_link=is_link,
    )


@pytest.mark.parametrize("event", examples(), ids=lambda event: event.type)
def test_an_event_reads_back_as_it_was_written(event: Event) -> None:
    data, texts = codec.encode(event)
    assert codec.decode(type(event), data, texts) == event


def test_every_event_of_the_catalogue_is_folded_and_has_an_example() -> None:
    assert {type(event) for event in examples()} == set(events.CATALOGUE.values())


def test_names_are_free_text_and_nothing_else_is() -> None:
    texts = {
        (event.type, field.name)
        for event in events.CATALOGUE.values()
        for field in codec.fields_of(event)
        if field.is_text
    }
    assert texts == {
        ("account.created", "name"),
        ("member.added", "person"),
        ("member.added", "name"),
        ("key.created", "name"),
        ("endpoint.created", "url"),
        ("endpoint.created", "description"),
        ("endpoint.changed", "url"),
        ("endpoint.changed", "description"),
    }
    assert all(field.name not in ("secret", "token") for one in events.CATALOGUE.values() for field in fields(one))


def test_an_account_whose_names_were_erased_is_still_an_account() -> None:
    data, texts = codec.encode(events.AccountCreated(account_type=AccountType.AGENCY, is_operator=False, name="Zoë"))
    erased = codec.decode(events.AccountCreated, data, dict.fromkeys(texts, codec.ERASED))
    assert evolve(None, STUDIO_ID, Recorded(erased, NOW, THE_OPERATOR)).name == ""
