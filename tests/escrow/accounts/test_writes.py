"""Commands on accounts on a real database: what is written, in how many statements, and what races leave."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escrow import database, ids, log, pipeline
from escrow.access import AccountType, Actor, ActorKind, Role, Scope
from escrow.accounts import commands, store, tokens
from escrow.accounts.stream import ACCOUNTS
from escrow.audit import audit
from escrow.bell import Topic
from escrow.errors import DomainError, ErrorCode, Forbidden, IdempotencyKeyReused
from escrow.idempotency import Idempotency, idempotency
from escrow.pipeline import run
from tests.escrow.accounts.world import OWN_SCOPES, World

pytestmark = pytest.mark.usefixtures("database")


async def rows(sql: str, *args: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.fetch(sql, *args)]


async def types_of(account_id: str) -> list[str]:
    found = await rows("SELECT type FROM events WHERE stream_id = $1 ORDER BY sequence", account_id)
    return [row["type"] for row in found]


async def code_of(command: commands.AccountCommand, by: Actor) -> ErrorCode | None:
    try:
        await run(command, by=by)
    except DomainError as refusal:
        return refusal.code
    return None


def _own(statements: list[str]) -> list[str]:
    """Those of the command itself, without the notes of an operator's act."""
    return [one for one in statements if "operator_act" not in one]


async def test_a_command_is_one_read_and_one_write(world: World) -> None:
    command = commands.AppointMediator(account_id=world.studio)
    with database.counting() as statements:
        await run(command, by=world.operator)
    assert len(_own(statements)) == 2


async def test_a_command_that_changes_nothing_only_reads(world: World) -> None:
    with database.counting() as statements:
        outcome = await run(commands.EnableAccount(account_id=world.studio), by=world.operator)
    assert (len(_own(statements)), outcome.recorded) == (1, ())
    assert await types_of(world.studio) == ["account.created", "member.added"]


async def test_a_refused_command_writes_nothing(world: World) -> None:
    before = await rows("SELECT * FROM events")
    assert await code_of(commands.DisableAccount(account_id=world.studio), world.owner) is ErrorCode.FORBIDDEN
    assert await code_of(commands.SetFees(client_bps=1, freelancer_bps=1), world.owner) is ErrorCode.FORBIDDEN
    assert await rows("SELECT * FROM events") == before


async def test_a_new_account_stands_in_the_table_as_it_was_asked_for(world: World) -> None:
    (row,) = await rows("SELECT * FROM accounts WHERE id = $1", world.studio)
    assert (row["name"], row["type"], row["is_operator"], row["is_mediator"]) == ("Zoë 工房", "AGENCY", False, False)
    assert (row["version"], row["disabled_at"]) == (2, None)
    (member,) = await rows("SELECT * FROM members WHERE account_id = $1", world.studio)
    assert (member["person"], member["name"], member["role"]) == ("ana@studio.example", "Ana", "OWNER")


async def test_disabling_and_mediating_stand_in_the_table(world: World) -> None:
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    await run(commands.AppointMediator(account_id=world.studio), by=world.operator)
    (row,) = await rows("SELECT * FROM accounts WHERE id = $1", world.studio)
    assert row["disabled_at"] is not None
    assert (row["is_mediator"], row["version"]) == (True, 4)
    await run(commands.EnableAccount(account_id=world.studio), by=world.operator)
    await run(commands.DismissMediator(account_id=world.studio), by=world.operator)
    (row,) = await rows("SELECT * FROM accounts WHERE id = $1", world.studio)
    assert (row["disabled_at"], row["is_mediator"]) == (None, False)


async def test_the_chain_of_an_account_holds_and_every_event_waits_for_its_position(world: World) -> None:
    await world.add_member("ben@studio.example", Role.MANAGER)
    stored = await rows("SELECT * FROM events WHERE stream_id = $1 ORDER BY sequence", world.studio)
    previous = None
    for number, event in enumerate(stored, start=1):
        assert (event["sequence"], event["previous_hash"]) == (number, previous)
        assert event["hash"] == hashlib.sha256(event["body"].encode()).hexdigest()
        previous = event["hash"]
    (account,) = await rows("SELECT version, last_hash FROM accounts WHERE id = $1", world.studio)
    assert (account["version"], account["last_hash"]) == (3, previous)
    waiting = await rows("SELECT event_id FROM log_pending")
    assert {event["id"] for event in stored} <= {row["event_id"] for row in waiting}


async def test_names_stand_beside_the_event_and_only_their_hash_in_it(world: World) -> None:
    (created,) = await rows("SELECT * FROM events WHERE stream_id = $1 AND sequence = 1", world.studio)
    (text,) = await rows("SELECT * FROM texts WHERE event_id = $1", created["id"])
    assert json.loads(text["body"]) == "Zoë 工房"
    assert "Zoë" not in created["body"]
    assert json.loads(created["body"])["data"]["texts"] == {"name": log.text_hash(text["salt"], text["body"])}


async def test_no_secret_is_in_any_table_event_or_log_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token, key_id = await world.create_key()
    everything = [
        *await rows("SELECT event.*::text AS whole FROM events AS event"),
        *await rows("SELECT text.*::text AS whole FROM texts AS text"),
        *await rows("SELECT key.*::text AS whole FROM api_keys AS key"),
    ]
    written = "\n".join(row["whole"] for row in everything)
    assert key_id in written
    assert token.text not in written
    assert token.text not in caplog.text
    events = "\n".join(row["body"] for row in await rows("SELECT body FROM events"))
    assert token.digest.hex() not in events


async def test_a_key_stands_in_the_table_as_its_digest(world: World) -> None:
    member_id = await world.add_member("ben@studio.example", Role.MANAGER)
    token, key_id = await world.create_key(
        scopes=(Scope.MONEY_WRITE, Scope.CONTRACTS_READ), member_id=member_id, expires_in=timedelta(days=1)
    )
    (row,) = await rows("SELECT * FROM api_keys WHERE id = $1", key_id)
    assert row["secret_sha256"] == hashlib.sha256(token.text.encode()).digest()
    assert (row["member_id"], row["hint"]) == (member_id, token.text[-4:])
    assert (row["scopes"], row["contract_ids"]) == (["contracts:read", "money:write"], None)
    assert (row["revoked_at"], row["last_used_at"]) == (None, None)


async def test_removing_a_member_ends_their_keys_in_the_same_write(world: World) -> None:
    member_id = await world.add_member("ben@studio.example", Role.MANAGER)
    _, bens = await world.create_key(member_id=member_id)
    _, office = await world.create_key()
    with database.counting() as statements:
        await run(commands.RemoveMember(member_id=member_id), by=world.owner)
    assert len(statements) == 2
    keys = {row["id"]: row["revoked_at"] for row in await rows("SELECT id, revoked_at FROM api_keys")}
    assert keys[bens] is not None
    assert keys[office] is None
    assert (await types_of(world.studio))[-2:] == ["member.removed", "key.revoked"]


async def test_fees_stand_in_the_deployment_and_on_the_operators_stream(world: World) -> None:
    await run(commands.SetFees(client_bps=250, freelancer_bps=1000), by=world.operator)
    (row,) = await rows("SELECT client_fee_bps, freelancer_fee_bps FROM deployment")
    assert row == {"client_fee_bps": 250, "freelancer_fee_bps": 1000}
    assert (await types_of(world.operator_account))[-1] == "fees.changed"
    same = await run(commands.SetFees(client_bps=250, freelancer_bps=1000), by=world.operator)
    assert not same.recorded


async def test_other_commands_leave_the_fees_alone(world: World) -> None:
    await run(commands.SetFees(client_bps=250, freelancer_bps=1000), by=world.operator)
    await run(
        commands.CreateAccount(account_id=ids.new(ids.Kind.ACCOUNT), name="New", type=AccountType.COMPANY),
        by=world.operator,
    )
    await world.create_key()
    assert await rows("SELECT client_fee_bps AS fee FROM deployment") == [{"fee": 250}]


async def test_the_audit_finds_the_tables_as_the_log_makes_them_after_every_command(world: World) -> None:
    member_id = await world.add_member("ben@studio.example", Role.OWNER)
    await world.create_key(member_id=member_id, scopes=tuple(OWN_SCOPES), expires_in=timedelta(days=1))
    _, key_id = await world.create_key()
    for command in (
        commands.RemoveMember(member_id=member_id),
        commands.RevokeApiKey(key_id=key_id),
        commands.DisableAccount(account_id=world.studio),
        commands.AppointMediator(account_id=world.studio),
        commands.SetFees(client_bps=1, freelancer_bps=2),
        commands.EnableAccount(account_id=world.shop),
        commands.DisableAccount(account_id=world.shop),
        commands.EnableAccount(account_id=world.shop),
        commands.AppointMediator(account_id=world.shop),
        commands.DismissMediator(account_id=world.shop),
    ):
        await run(command, by=world.operator)
    assert [difference async for difference in audit()] == []


async def test_events_never_go_back_in_time_when_the_test_clock_was_ahead(world: World) -> None:
    await database.execute("UPDATE deployment SET clock_offset = '40 days'")
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    (row,) = await rows(
        "SELECT last_event_at > clock_timestamp() + interval '39 days' AS ahead, disabled_at = last_event_at AS same "
        "FROM accounts WHERE id = $1",
        world.studio,
    )
    assert row == {"ahead": True, "same": True}
    # Keys live by the real clock.
    await world.create_key(expires_in=timedelta(days=1))


@pytest.mark.parametrize("strange", ["", "acc_\0", "acc_\ud800", "nonsense", "x" * 10_000, "ctr_" + "0" * 26])
async def test_strange_identifiers_are_not_found_and_harm_nobody(world: World, strange: str) -> None:
    for command in (
        commands.DisableAccount(account_id=strange),
        commands.RemoveMember(member_id=strange),
        commands.RevokeApiKey(key_id=strange),
        world.key_command(account_id=strange),
        world.key_command(member_id=strange),
        world.key_command(contract_ids=(strange,)),
    ):
        assert await code_of(command, world.operator) is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("person", ["nul\0@x.example", "\ud800", "", "x" * 1_000_000])
async def test_strange_persons_are_invalid_input(world: World, person: str) -> None:
    command = world.member_command(person)
    assert await code_of(command, world.owner) is ErrorCode.INVALID_INPUT


# Who shares a contract


async def test_an_account_that_no_contract_joins_is_not_found_and_a_counterparty_is_forbidden(world: World) -> None:
    command = commands.DisableAccount(account_id=world.studio)
    stranger = world.owner_of(world.shop)
    assert await code_of(command, stranger) is ErrorCode.NOT_FOUND
    contract_id = await world.contract(client=world.shop, freelancer=world.studio, state="DECLINED")
    assert await code_of(command, stranger) is ErrorCode.FORBIDDEN
    elsewhere = world.owner_of(world.shop, contracts=frozenset({ids.new(ids.Kind.CONTRACT)}))
    assert await code_of(command, elsewhere) is ErrorCode.NOT_FOUND
    within = world.owner_of(world.shop, contracts=frozenset({contract_id}))
    assert await code_of(command, within) is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("PROPOSED", ErrorCode.SAME_PARTY),
        ("ACTIVE", ErrorCode.SAME_PARTY),
        ("COMPLETED", None),
        ("ENDED", None),
        ("DECLINED", None),
        ("WITHDRAWN", None),
        ("EXPIRED", None),
    ],
)
@pytest.mark.parametrize("studio_pays", [False, True])
async def test_a_member_of_the_other_party_is_refused_while_the_contract_is_open(
    world: World, state: str, expected: ErrorCode | None, studio_pays: bool
) -> None:
    parties = (world.studio, world.shop) if studio_pays else (world.shop, world.studio)
    await world.contract(client=parties[0], freelancer=parties[1], state=state)
    assert await code_of(world.member_command("SAM@shop.example"), world.owner) is expected


async def test_a_member_of_an_account_that_no_contract_joins_may_be_added(world: World) -> None:
    assert await code_of(world.member_command("sam@shop.example"), world.owner) is None


async def test_a_former_member_of_the_other_party_may_be_added(world: World) -> None:
    await world.contract(client=world.shop, freelancer=world.studio, state="ACTIVE")
    second = await world.add_member("tom@shop.example", Role.MEMBER, account_id=world.shop)
    await run(commands.RemoveMember(member_id=second), by=world.operator)
    assert await code_of(world.member_command("tom@shop.example"), world.owner) is None


async def test_a_key_is_limited_only_to_contracts_of_its_account(world: World) -> None:
    contract_id = await world.contract(client=world.shop, freelancer=world.studio, state="ACTIVE")
    foreign = await world.contract(client=world.shop, freelancer=world.operator_account, state="ACTIVE")
    _, key_id = await world.create_key(contract_ids=(contract_id,))
    (row,) = await rows("SELECT contract_ids FROM api_keys WHERE id = $1", key_id)
    assert row["contract_ids"] == [contract_id]
    assert await code_of(world.key_command(contract_ids=(foreign,)), world.owner) is ErrorCode.NOT_FOUND
    assert await code_of(world.key_command(contract_ids=(foreign,)), world.operator) is ErrorCode.NOT_FOUND


# Races


async def test_two_removals_of_the_two_last_owners_at_once_leave_one(world: World) -> None:
    for _ in range(5):
        present = await rows(
            "SELECT id FROM members WHERE account_id = $1 AND role = 'OWNER' AND removed_at IS NULL", world.studio
        )
        second = await world.add_member(f"{ids.new(ids.Kind.MEMBER)}@studio.example", Role.OWNER)
        both = [commands.RemoveMember(member_id=one) for one in (present[0]["id"], second)]
        codes = await asyncio.gather(*(code_of(command, world.operator) for command in both))
        assert sorted(code or "" for code in codes) == ["", ErrorCode.INVALID_STATE]
        (left,) = await rows(
            "SELECT count(*) FROM members WHERE account_id = $1 AND role = 'OWNER' AND removed_at IS NULL", world.studio
        )
        assert left["count"] == 1


async def test_the_same_key_created_twice_at_once_is_one_key(world: World) -> None:
    command = world.key_command()
    codes = await asyncio.gather(*(code_of(command, world.owner) for _ in range(2)))
    assert sorted(code or "" for code in codes) == ["", ErrorCode.INVALID_STATE]
    assert len(await rows("SELECT FROM api_keys WHERE id = $1", command.key_id)) == 1


async def test_the_same_key_revoked_twice_at_once_is_one_event(world: World) -> None:
    _, key_id = await world.create_key()
    codes = await asyncio.gather(*(code_of(commands.RevokeApiKey(key_id=key_id), world.owner) for _ in range(4)))
    assert codes == [None] * 4
    assert (await types_of(world.studio)).count("key.revoked") == 1


async def test_the_same_person_added_twice_at_once_is_one_member(world: World) -> None:
    adding = [world.member_command("eve@studio.example") for _ in range(4)]
    codes = await asyncio.gather(*(code_of(command, world.owner) for command in adding))
    assert sorted(code or "" for code in codes) == ["", *[ErrorCode.INVALID_STATE] * 3]


async def test_the_operator_founded_twice_at_once_is_one_operator(world: World) -> None:
    assert world.operator_account
    await database.execute("UPDATE accounts SET is_operator = false")
    founder = Actor(ActorKind.OPERATOR)
    founding = [commands.CreateOperator(account_id=ids.new(ids.Kind.ACCOUNT), name=f"{n}") for n in range(4)]
    codes = await asyncio.gather(*(code_of(command, founder) for command in founding))
    assert sorted(code or "" for code in codes) == ["", *[ErrorCode.INVALID_STATE] * 3]
    assert len(await rows("SELECT FROM accounts WHERE is_operator")) == 1


async def test_twenty_commands_at_once_on_one_account_all_happen_in_some_order(world: World) -> None:
    await asyncio.gather(*(world.create_key() for _ in range(20)))
    sequences = await rows("SELECT sequence FROM events WHERE stream_id = $1 ORDER BY sequence", world.studio)
    assert [row["sequence"] for row in sequences] == list(range(1, 23))
    assert len(await rows("SELECT FROM api_keys WHERE account_id = $1", world.studio)) == 20


async def test_a_write_on_an_old_version_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = await store.load(commands.DisableAccount(account_id=world.studio), world.operator)
    await run(commands.AppointMediator(account_id=world.studio), by=world.operator)
    loads = []

    async def stale_at_first(command: commands.AccountCommand, by: Actor, key: str | None) -> store.Loaded:
        loads.append(command)
        return stale if len(loads) == 1 else await store.load(command, by, key)

    monkeypatch.setattr(pipeline, "ACCOUNTS", replace(ACCOUNTS, load=stale_at_first))
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    assert len(loads) == 2
    (row,) = await rows("SELECT is_mediator, disabled_at IS NOT NULL AS off FROM accounts WHERE id = $1", world.studio)
    assert row == {"is_mediator": True, "off": True}


async def test_commands_on_an_account_work_under_the_lock_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "ACCOUNTS", replace(ACCOUNTS, races_max=0))
    rung: list[tuple[Topic, ...]] = []

    async def ring(*topics: Topic) -> None:
        rung.append(topics)

    monkeypatch.setattr("escrow.bell.ring", ring)
    outcomes = await asyncio.gather(
        *(run(world.key_command(), by=world.owner, idempotency=repeating("k")) for _ in range(8))
    )
    assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 7
    assert len(await rows("SELECT FROM api_keys WHERE account_id = $1", world.studio)) == 1
    assert rung == [(Topic.PENDING,)]
    again = await run(commands.EnableAccount(account_id=world.studio), by=world.operator)
    assert (again.recorded, len(rung)) == ((), 1)


async def test_a_cancelled_command_has_happened_whole_or_not_at_all(world: World) -> None:
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008):
        command = world.key_command()
        task = asyncio.create_task(run(command, by=world.owner))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*database._kept, return_exceptions=True)  # what was begun ends without whoever asked
        (found,) = await rows(
            "SELECT (SELECT count(*) FROM api_keys WHERE id = $1) AS keys, "
            "(SELECT count(*) FROM events WHERE body LIKE '%' || $1 || '%') AS events",
            command.key_id,
        )
        assert found["keys"] == found["events"]


async def test_an_account_with_events_of_a_later_release_is_not_written_to(world: World) -> None:
    await database.execute("INSERT INTO event_types (type, schema_version) VALUES ('account.created', 2)")
    await database.execute("UPDATE deployment SET vocabulary = 'of a later release'")
    await run(commands.AppointMediator(account_id=world.studio), by=world.operator)
    await database.execute(
        "INSERT INTO events (stream_id, id, sequence, type, schema_version, occurred_at, body, hash, previous_hash) "
        "SELECT stream_id, 'evt_later', 99, 'account.created', 2, occurred_at, body, hash, hash FROM events "
        "WHERE stream_id = $1 AND sequence = 1",
        world.studio,
    )
    with pytest.raises(log.UnknownEvent):
        await run(commands.DismissMediator(account_id=world.studio), by=world.operator)


# Repeating safely


def repeating(key: str, **given: str) -> Idempotency:
    return idempotency(key, operation="createApiKey", given=given)


async def test_a_repetition_answers_with_the_first_ids_and_never_shows_a_secret_again(world: World) -> None:
    command = world.key_command()
    first = await run(command, by=world.owner, idempotency=repeating("k"))
    with database.counting() as statements:
        again = await run(world.key_command(), by=world.owner, idempotency=repeating("k"))
    assert len(statements) == 2
    assert again.account.keys[first.result["key_id"]].hint == command.token.hint
    assert (again.result, again.replayed, again.recorded) == (first.result, True, ())
    assert len(await rows("SELECT FROM api_keys")) == 1
    (kept,) = await rows("SELECT result, contract_id FROM idempotency_keys")
    assert (json.loads(kept["result"]), kept["contract_id"]) == (first.result, None)


async def test_the_same_key_with_another_input_is_refused(world: World) -> None:
    await run(world.key_command(), by=world.owner, idempotency=repeating("k"))
    with pytest.raises(IdempotencyKeyReused):
        await run(world.key_command(), by=world.owner, idempotency=repeating("k", name="other"))
    other_account = await run(
        world.key_command(account_id=world.shop), by=world.owner_of(world.shop), idempotency=repeating("k")
    )
    assert not other_account.replayed


async def test_the_same_idempotency_key_many_times_at_once_runs_once(world: World) -> None:
    outcomes = await asyncio.gather(
        *(run(world.key_command(), by=world.owner, idempotency=repeating("k")) for _ in range(8))
    )
    assert len({outcome.result["key_id"] for outcome in outcomes}) == 1
    assert sum(outcome.replayed for outcome in outcomes) == 7
    assert len(await rows("SELECT FROM api_keys")) == 1


async def test_two_accounts_asked_for_with_one_key_are_one(world: World) -> None:
    asked = [
        commands.CreateAccount(account_id=ids.new(ids.Kind.ACCOUNT), name="Twice", type=AccountType.COMPANY)
        for _ in range(2)
    ]
    outcomes = await asyncio.gather(*(run(one, by=world.operator, idempotency=repeating("a")) for one in asked))
    assert len({outcome.result["account_id"] for outcome in outcomes}) == 1
    assert len(await rows("SELECT FROM accounts WHERE name = 'Twice'")) == 1


async def test_a_repetition_of_what_changed_nothing_changes_nothing_later_either(world: World) -> None:
    enabling = commands.EnableAccount(account_id=world.studio)
    await run(enabling, by=world.operator, idempotency=repeating("e"))
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    assert (await run(enabling, by=world.operator, idempotency=repeating("e"))).replayed
    (row,) = await rows("SELECT disabled_at, version FROM accounts WHERE id = $1", world.studio)
    assert row["disabled_at"] is not None
    assert row["version"] == 3


async def test_a_refused_command_may_be_repeated_with_its_key(world: World) -> None:
    refused = world.key_command(member_id=ids.new(ids.Kind.MEMBER))
    for _ in range(2):
        with pytest.raises(DomainError):
            await run(refused, by=world.owner, idempotency=repeating("k"))
    assert not (await run(world.key_command(), by=world.owner, idempotency=repeating("k"))).replayed


async def test_a_repetition_is_answered_only_to_those_who_might_have_given_the_command(world: World) -> None:
    adding = world.member_command("eve@studio.example")
    making = world.key_command(scopes=(Scope.MONEY_WRITE,))
    added = await run(adding, by=world.owner, idempotency=repeating("m"))
    await run(making, by=world.owner, idempotency=repeating("k"))
    removing = commands.RemoveMember(member_id=added.result["member_id"])
    await run(removing, by=world.owner, idempotency=repeating("r"))
    contract_id = await world.contract(client=world.shop, freelancer=world.studio, state="ACTIVE")
    limited = world.owner_of(world.studio, contracts=frozenset({contract_id}))
    member = replace(world.owner, role=Role.MEMBER)
    reader = replace(world.owner, scopes=frozenset({Scope.CONTRACTS_READ}))
    writer = replace(world.owner, scopes=frozenset({Scope.CONTRACTS_WRITE}))
    for command, key, others in (
        (adding, "m", (limited, member, reader, writer)),
        (making, "k", (limited, member, reader, writer)),
        (removing, "r", (limited, member, reader, writer)),
    ):
        for other in others:
            with pytest.raises(Forbidden):
                await run(command, by=other, idempotency=repeating(key))
        assert (await run(command, by=world.owner, idempotency=repeating(key))).replayed
    await run(commands.DisableAccount(account_id=world.studio), by=world.operator)
    assert (await run(adding, by=world.owner, idempotency=repeating("m"))).replayed


def test_tokens_are_long_random_and_printed_nowhere() -> None:
    made = [tokens.new() for _ in range(100)]
    assert len({token.text for token in made}) == 100
    for token in made:
        assert tokens.read(token.text) == token
        assert len(token.text) == 3 + 52
        assert token.text not in repr(token)
    assert tokens.read(made[0].text.upper()) is None
