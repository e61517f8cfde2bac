"""What commands on webhook endpoints cause, and every refusal that is not about who asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escrow import ids, log
from escrow.accounts import events
from escrow.accounts.commands import AccountCommand
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.inputs import EVENT_TYPES_MAX, URL_MAX, known_patterns
from escrow.accounts.state import Account, AccountSurroundings
from escrow.accounts.state.endpoints import (
    API_VERSIONS,
    ENDPOINTS_MAX,
    SECRETS_MAX,
    Algorithm,
    DisabledReason,
    EndpointState,
)
from escrow.agreement.events import Event, Recorded
from escrow.causes import Cause
from escrow.errors import DomainError, ErrorCode
from tests.escrow.accounts.people import (
    AROUND,
    CONTRACT_ID,
    ENDPOINT,
    NEW_ENDPOINT_ID,
    NEW_SECRETS,
    NOW,
    OTHER_CONTRACT_ID,
    OWNER,
    STUDIO,
    STUDIO_ID,
    THE_OPERATOR,
    endpoint,
    identifier,
    outcome,
    sealed,
)

CREATE = commands.CreateEndpoint(
    account_id=STUDIO_ID,
    endpoint_id=NEW_ENDPOINT_ID,
    address=commands.Address("https://hooks.example.com/earnest"),
    secrets=NEW_SECRETS,
)
UPDATE = commands.UpdateEndpoint(endpoint_id=ENDPOINT.id)
ROTATE = commands.RotateSecret(endpoint_id=ENDPOINT.id, secrets=NEW_SECRETS)


def done(state: Account, command: AccountCommand, **changes: Any) -> tuple[list[Event], Account]:
    found, after = outcome(state, command, by=OWNER, around=replace(AROUND, **changes))
    assert after is not None
    return list(found), after


def refused(command: AccountCommand, state: Account = STUDIO, **changes: Any) -> DomainError:
    around: AccountSurroundings = replace(AROUND, **changes)
    with pytest.raises(DomainError) as caught:
        outcome(state, command, around=around)
    return caught.value


def with_endpoints(*endpoints: Any) -> Account:
    return replace(STUDIO, endpoints={one.id: one for one in endpoints})


# Creating


def test_an_endpoint_gets_every_event_in_the_latest_shape_unless_said_otherwise() -> None:
    (created,), after = done(STUDIO, CREATE)
    assert created.type == "endpoint.created"
    made = after.endpoints[NEW_ENDPOINT_ID]
    assert (made.event_types, made.contract_ids, made.api_version) == (("*",), None, API_VERSIONS[-1])
    assert (made.state, made.version, made.algorithms) == (EndpointState.ENABLED, 1, tuple(Algorithm))


def test_event_types_are_kept_sorted_each_once_and_without_what_a_family_covers() -> None:
    asked = ("milestone.released", "contract.accepted", "milestone.*", "contract.accepted")
    _, after = done(STUDIO, replace(CREATE, event_types=asked))
    assert after.endpoints[NEW_ENDPOINT_ID].event_types == ("contract.accepted", "milestone.*")
    _, after = done(STUDIO, replace(CREATE, event_types=("*", "payout.*")))
    assert after.endpoints[NEW_ENDPOINT_ID].event_types == ("*",)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("milestone.relased", "did you mean milestone.released?"),
        ("Milestone.Released", "did you mean milestone.released?"),
        ("milestones.*", "did you mean milestone.*?"),
        ("milestone", "did you mean milestone.*?"),
        ("contract.acepted", "did you mean contract.accepted?"),
        ("all", "* stands for all"),
        ("", "* stands for all"),
        ("milestone.released*", "did you mean milestone.released?"),
        ("x" * 5_000, "* stands for all"),
    ],
)
def test_an_unknown_event_type_is_refused_with_the_nearest_right_one(asked: str, told: str) -> None:
    refusal = refused(replace(CREATE, event_types=("contract.*", asked)))
    assert (refusal.code, refusal.field) == (ErrorCode.INVALID_INPUT, "eventTypes.1")
    assert told in refusal.message
    assert len(refusal.message) < 200


def test_every_type_of_the_log_can_be_asked_for_alone_and_as_a_family() -> None:
    for kind, _ in log.CATALOGUE:
        assert {kind, kind.split(".")[0] + ".*"} <= known_patterns()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": commands.Address("https://x.example", fault="It isn't so.")}, "url"),
        ({"address": commands.Address("https://x.example/" + "a" * URL_MAX)}, "url"),
        ({"address": commands.Address("https://x.example/\0")}, "url"),
        ({"description": "x" * 1_001}, "description"),
        ({"description": "\ud800"}, "description"),
        ({"event_types": ()}, "eventTypes"),
        ({"event_types": ("milestone.*",) * (EVENT_TYPES_MAX + 1)}, "eventTypes"),
        ({"limit": commands.Limit(())}, "contractIds"),
        ({"api_version": "2020-01-01"}, "apiVersion"),
        ({"api_version": ""}, "apiVersion"),
        ({"secrets": ()}, "algorithms"),
        ({"endpoint_id": "whe_1"}, "endpointId"),
    ],
)
def test_an_endpoint_with_a_value_that_no_state_accepts_is_refused(changes: dict[str, Any], field: str) -> None:
    refusal = refused(replace(CREATE, **changes))
    assert (refusal.code, refusal.field) == (ErrorCode.INVALID_INPUT, field)


def test_an_address_that_is_too_long_is_told_so_whatever_else_is_wrong_with_it() -> None:
    url = "nowhere/" + "a" * URL_MAX
    refusal = refused(replace(CREATE, address=commands.Address(url, fault="It isn't so.", cause=Cause.NO_URL)))
    assert (refusal.cause, refusal.details) == (Cause.TOO_LONG, {"most": URL_MAX, "given": len(url)})


def test_an_unknown_version_is_refused_naming_those_that_there_are() -> None:
    assert API_VERSIONS[-1] in refused(replace(CREATE, api_version="v2")).message


def test_a_contract_that_the_account_does_not_see_is_not_found() -> None:
    command = replace(CREATE, limit=commands.Limit((CONTRACT_ID, OTHER_CONTRACT_ID)))
    refusal = refused(command, reachable_contract_ids=frozenset({CONTRACT_ID}))
    assert (refusal.code, refusal.field) == (ErrorCode.NOT_FOUND, "contractIds.1")
    widened = replace(UPDATE, limit=commands.Limit((OTHER_CONTRACT_ID,)))
    assert refused(widened, reachable_contract_ids=frozenset({CONTRACT_ID})).field == "contractIds.0"


def test_the_number_of_endpoints_is_bounded_and_deleted_ones_do_not_count() -> None:
    full = with_endpoints(*(endpoint(number) for number in range(20, ENDPOINTS_MAX + 20)))
    assert refused(CREATE, full).code is ErrorCode.INVALID_STATE
    _, after = done(full, commands.DeleteEndpoint(endpoint_id=endpoint(20).id))
    assert done(after, CREATE)[0]


def test_the_same_endpoint_is_not_created_twice() -> None:
    _, after = done(STUDIO, CREATE)
    assert refused(CREATE, after).code is ErrorCode.INVALID_STATE


# Changing


def test_only_what_is_named_changes_and_only_changed_words_are_in_the_event() -> None:
    command = replace(UPDATE, address=commands.Address("https://new.example"), description=ENDPOINT.description)
    (changed,), after = done(STUDIO, command)
    assert isinstance(changed, events.EndpointChanged)
    assert (changed.url, changed.description) == ("https://new.example", None)
    assert after.endpoints[ENDPOINT.id] == replace(ENDPOINT, url="https://new.example", version=ENDPOINT.version + 1)


def test_a_limit_can_be_set_and_taken_away() -> None:
    limited = replace(UPDATE, limit=commands.Limit((CONTRACT_ID, CONTRACT_ID)))
    _, after = done(STUDIO, limited, reachable_contract_ids=frozenset({CONTRACT_ID}))
    assert after.endpoints[ENDPOINT.id].contract_ids == (CONTRACT_ID,)
    _, after = done(after, replace(UPDATE, limit=commands.Limit(None)))
    assert after.endpoints[ENDPOINT.id].contract_ids is None


def test_a_change_to_what_already_is_changes_nothing() -> None:
    command = replace(UPDATE, address=commands.Address(ENDPOINT.url), event_types=("*",), limit=commands.Limit(None))
    assert done(STUDIO, command) == ([], STUDIO)


def test_another_version_is_refused_before_the_state_and_the_values() -> None:
    command = replace(UPDATE, expected_version=2, event_types=("nonsense",))
    gone = with_endpoints(replace(ENDPOINT, deleted_at=NOW))
    for state in (STUDIO, gone):
        refusal = refused(command, state)
        assert (refusal.code, refusal.details) == (ErrorCode.VERSION_CONFLICT, {"version": ENDPOINT.version})
    assert refused(replace(command, expected_version=3)).code is ErrorCode.INVALID_INPUT


@pytest.mark.parametrize(
    "command",
    [
        replace(UPDATE, description="x"),
        commands.EnableEndpoint(endpoint_id=ENDPOINT.id),
        commands.DisableEndpoint(endpoint_id=ENDPOINT.id),
        ROTATE,
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_deleted_endpoint_stays_deleted(command: AccountCommand) -> None:
    _, gone = done(STUDIO, commands.DeleteEndpoint(endpoint_id=ENDPOINT.id))
    assert gone.endpoints[ENDPOINT.id].secrets == ()
    refusal = refused(command, gone)
    assert (refusal.code, refusal.field) == (ErrorCode.INVALID_STATE, "endpointId")
    assert done(gone, commands.DeleteEndpoint(endpoint_id=ENDPOINT.id)) == ([], gone)


def test_disabling_keeps_the_first_reason_and_enabling_takes_it_away() -> None:
    _, disabled = done(STUDIO, commands.DisableEndpoint(endpoint_id=ENDPOINT.id))
    assert disabled.endpoints[ENDPOINT.id].disabled_reason is DisabledReason.REQUESTED
    assert done(disabled, commands.DisableEndpoint(endpoint_id=ENDPOINT.id)) == ([], disabled)
    _, enabled = done(disabled, commands.EnableEndpoint(endpoint_id=ENDPOINT.id))
    assert enabled.endpoints[ENDPOINT.id] == replace(ENDPOINT, version=ENDPOINT.version + 2)
    assert done(enabled, commands.EnableEndpoint(endpoint_id=ENDPOINT.id)) == ([], enabled)


# Secrets


def test_a_rotation_makes_a_secret_for_each_algorithm_in_use() -> None:
    (rotated,), after = done(STUDIO, ROTATE)
    assert isinstance(rotated, events.EndpointSecretRotated)
    assert rotated.overlap_until == NOW + timedelta(hours=24)
    before, now = after.endpoints[ENDPOINT.id].secrets
    assert (before.facts, before.expires_at) == (ENDPOINT.secrets[0].facts, rotated.overlap_until)
    assert (now.facts, now.expires_at) == (NEW_SECRETS[0].facts, None)


def test_a_rotation_can_add_or_replace_an_algorithm() -> None:
    _, both = done(STUDIO, replace(ROTATE, algorithms=tuple(Algorithm)))
    assert both.endpoints[ENDPOINT.id].algorithms == tuple(Algorithm)
    _, other = done(STUDIO, replace(ROTATE, algorithms=(Algorithm.ED25519,)))
    assert other.endpoints[ENDPOINT.id].algorithms == (Algorithm.ED25519,)
    assert len(other.endpoints[ENDPOINT.id].secrets) == 2


def test_overlaps_are_real_time_and_a_rotation_forgets_those_that_are_over() -> None:
    _, first = done(STUDIO, replace(ROTATE, overlap=timedelta(hours=1)), now=NOW + timedelta(days=400))
    later = {"real_now": NOW + timedelta(hours=1)}
    again = replace(ROTATE, secrets=(sealed(Algorithm.HMAC_SHA256, 200),))
    (rotated,), second = done(first, again, **later)
    assert isinstance(rotated, events.EndpointSecretRotated)
    assert rotated.forgotten == (ENDPOINT.secrets[0].facts.fingerprint,)
    assert [one.facts.fingerprint[-2:] for one in second.endpoints[ENDPOINT.id].secrets] == ["64", "c8"]


def test_an_overlap_that_runs_is_not_prolonged_by_another_rotation() -> None:
    _, first = done(STUDIO, replace(ROTATE, overlap=timedelta(hours=1)))
    again = replace(ROTATE, secrets=(sealed(Algorithm.HMAC_SHA256, 200),), overlap=timedelta(days=2))
    _, second = done(first, again)
    ends = [one.expires_at for one in second.endpoints[ENDPOINT.id].secrets]
    assert ends == [NOW + timedelta(hours=1), NOW + timedelta(days=2), None]


def test_the_number_of_secrets_that_sign_is_bounded() -> None:
    state = STUDIO
    for number in range(SECRETS_MAX - 1):
        _, state = done(state, replace(ROTATE, secrets=(sealed(Algorithm.HMAC_SHA256, 200 + number),)))
    refusal = refused(replace(ROTATE, secrets=(sealed(Algorithm.HMAC_SHA256, 300),)), state)
    assert refusal.code is ErrorCode.INVALID_STATE
    later = {"real_now": NOW + timedelta(hours=24)}
    assert done(state, replace(ROTATE, secrets=(sealed(Algorithm.HMAC_SHA256, 300),)), **later)[0]


def test_a_rotation_without_an_overlap_makes_room_for_itself() -> None:
    state, both = STUDIO, replace(ROTATE, algorithms=tuple(Algorithm))
    for number in range(200, 206, 2):
        _, state = done(state, replace(both, secrets=tuple(sealed(one, number + n) for n, one in enumerate(Algorithm))))
    assert len(state.endpoints[ENDPOINT.id].secrets) == SECRETS_MAX - 1
    assert refused(both, state).code is ErrorCode.INVALID_STATE
    _, after = done(state, replace(both, overlap=timedelta(0)))
    signing = [one for one in after.endpoints[ENDPOINT.id].secrets if one.signs(NOW)]
    assert len(signing) == SECRETS_MAX - 1
    assert {one.facts for one in NEW_SECRETS} <= {one.facts for one in signing}
    assert refused(replace(both, overlap=timedelta(seconds=-1)), state).code is ErrorCode.INVALID_STATE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"algorithms": ()}, "algorithms"),
        ({"overlap": timedelta(seconds=-1)}, "overlap"),
        ({"overlap": timedelta(days=31)}, "overlap"),
    ],
)
def test_a_rotation_with_nonsense_is_refused(changes: dict[str, Any], field: str) -> None:
    refusal = refused(replace(ROTATE, **changes))
    assert (refusal.code, refusal.field) == (ErrorCode.INVALID_INPUT, field)


# Events


def test_the_largest_event_of_an_endpoint_fits_the_log() -> None:
    contracts = tuple(identifier(ids.Kind.CONTRACT, number) for number in range(100))
    types = tuple(sorted(known_patterns() - {"*"}, key=len)[-EVENT_TYPES_MAX:])
    created = events.EndpointCreated(
        endpoint_id=NEW_ENDPOINT_ID,
        event_types=(types * EVENT_TYPES_MAX)[:EVENT_TYPES_MAX],
        contract_ids=contracts,
        api_version=API_VERSIONS[-1],
        secrets=tuple(secret.facts for secret in NEW_SECRETS),
        url="https://hooks.example.com/" + "ü" * 2_000,
        description="🦊" * 1_000,
    )
    by = replace(THE_OPERATOR, member_id=identifier(ids.Kind.MEMBER, 1))
    (one,) = log.seal(STUDIO_ID, version=10**12, last_hash="0" * 64, recorded=[Recorded(created, NOW, by)])
    assert len(one.body.encode()) < 16_384
