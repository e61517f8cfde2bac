"""`earnest accounts`, `keys`, `sessions` and `fees`: the handlers on a real database, and the whole way for the first key."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from earnest import operator
from earnest.cli import make_parser
from earnest.commands.acts import show_acts, show_refused
from earnest.commands.keys import expiry
from earnest.demo.people import KEYS_FILE
from earnest.operator import Answer, in_one_line
from earnest.run.embedded import DIRECTORY
from earnest.run.refusing import CannotStart
from escrow import database, documents, ids
from escrow.access import ActorKind, Role, Scope
from escrow.accounts import links, tokens
from escrow.accounts.authentication import authenticate, of_link
from escrow.errors import DomainError, ErrorCode
from escrow.refused_credentials import Refusals
from escrow.traces import trace_id
from tests.earnest.commanding import commanded
from tests.engines import TestServer

ROOT = Path(__file__).parents[2]

OTHERS_ID = f"acc_{ids.encode(7)}"


async def earnest(line: str) -> Answer:
    """What a command line answers on the test's database."""
    args = make_parser().parse_args(line.split())
    handler: operator.Handler = args.handler
    return await handler(args, await operator.the_operator())


async def _shown(line: str) -> Answer:
    """The same of `earnest acts`, which has no other commands below it."""
    args = make_parser().parse_args(line.split())
    return await (show_refused if args.refused else show_acts)(args, await operator.the_operator())


async def told(line: str) -> str:
    (found,) = (await earnest(line)).lines
    return found


@pytest.mark.usefixtures("database")
class TestOnADatabase:
    """Each command does as the operator what its name says."""

    async def test_the_first_key_makes_the_operator_and_the_second_finds_it(self) -> None:
        for _ in range(2):
            actor = await authenticate(await told("keys create --operator"))
            assert actor is not None
            assert (actor.kind, actor.scopes) == (ActorKind.OPERATOR, frozenset(Scope))
        assert await database.fetch_value("SELECT count(*) FROM accounts") == 1

    async def test_many_first_keys_at_once_share_one_operator(self) -> None:
        made = await asyncio.gather(*(told("keys create --operator") for _ in range(5)))
        actors = [await authenticate(token) for token in made]
        assert len({actor.account_id for actor in actors if actor is not None}) == 1

    async def test_an_account_is_opened_with_an_owner_and_listed(self) -> None:
        await earnest("keys create --operator")
        account_id = await told("accounts create Studio --type agency --owner ana@x.example --owner-name Ana")
        head, *rows = (await earnest("accounts list")).lines
        assert head.split() == ["id", "type", "standing", "name"]
        assert rows[1].split() == [account_id, "agency", "-", "Studio"]
        assert rows[0].split()[2] == "operator"
        _, member = (await earnest(f"accounts members list {account_id}")).lines
        assert member.split()[1:] == ["owner", "ana@x.example", "Ana"]

    async def test_an_owner_has_to_be_named_before_it_is_called_something(self) -> None:
        with pytest.raises(CannotStart, match="name the person with --owner"):
            await earnest("accounts create Studio --owner-name Ana")
        assert await database.fetch_value("SELECT count(*) FROM accounts") == 0

    async def test_a_link_opens_a_session_of_the_operator_an_account_or_a_member(self) -> None:
        account_id = await told("accounts create Studio --type agency --owner ana@x.example --owner-name Ana")
        member_id = (await earnest(f"accounts members list {account_id}")).lines[1].split()[0]
        links.use("https://escrow.example.com")
        parties = frozenset(Scope) - {Scope.OPERATOR}
        for line, kind, member, scopes in (
            ("sessions link --operator", ActorKind.OPERATOR, None, frozenset(Scope)),
            (f"sessions link --account {account_id}", ActorKind.ACCOUNT, None, parties),
            (f"sessions link --member {member_id} --scope contracts:read", ActorKind.ACCOUNT, member_id,
             {Scope.CONTRACTS_READ}),
        ):  # fmt: skip
            answer = await earnest(line)
            url = answer.lines[0]
            assert url.startswith("https://escrow.example.com/console#el_")
            code = tokens.read_code(url.partition("#")[2])
            assert code is not None
            assert code.text not in answer.notes[0]
            actor = await of_link(code)
            assert actor is not None
            assert (actor.kind, actor.member_id, actor.scopes) == (kind, member, scopes)

    async def test_sessions_are_listed_with_what_they_may_and_ended(self) -> None:
        account_id = await told("accounts create Studio")
        line = f"sessions link --account {account_id} --hours 12 --origin https://a.example --origin https://b.example"
        await earnest(line)
        head, row = (await earnest(f"sessions list --account {account_id}")).lines
        assert head.split() == ["id", "hint", "state", "scopes", "member", "contracts", "origins", "expires"]
        session_id, _, state, _, member, contracts, origins, _ = row.split()
        assert (state, member, contracts, origins) == ("link", "-", "all", "https://a.example,https://b.example")
        assert (await earnest(f"sessions revoke {session_id}")).notes == [f"{session_id} is ended"]
        assert (await earnest(f"sessions revoke {session_id}")).notes == [f"{session_id} is ended already"]
        assert len((await earnest(f"sessions list --account {account_id}")).lines) == 1

    @pytest.mark.parametrize("hours", ["0", "12.5", "-1", "soon", "nan"])
    def test_a_session_lasts_some_hours_and_no_longer(self, hours: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            make_parser().parse_args(["sessions", "link", "--operator", f"--hours={hours}"])
        assert "no number of hours" in capsys.readouterr().err

    async def test_the_demos_people_are_named_by_their_role(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account_id = await told("accounts create Studio")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(CannotStart, match="make run"):
            await earnest("sessions link --demo client")
        (tmp_path / DIRECTORY).mkdir()
        person = {"account": account_id, "key": "ek_"}
        roles = dict.fromkeys(("operator", "client", "freelancer", "mediator"), person)
        (tmp_path / DIRECTORY / KEYS_FILE).write_text(json.dumps({"url": "http://localhost"} | roles))
        answer = await earnest("sessions link --demo client")
        assert account_id in answer.notes[0]

    async def test_all_accounts_are_listed_however_many(self) -> None:
        await earnest("keys create --operator")
        await database.execute(
            "INSERT INTO accounts (id, name, type, version, last_hash, last_event_at, created_at) "
            "SELECT 'acc_' || lpad(n::text, 26, '0'), n::text, 'COMPANY', 1, '', now(), now() "
            "FROM generate_series(1, 204) AS n"
        )
        assert len((await earnest("accounts list")).lines) == 1 + 205

    async def test_an_account_is_given_a_rate_of_its_own(self) -> None:
        account_id = await told("accounts create Studio")
        stored = "SELECT points_per_second FROM accounts WHERE id = $1"
        assert (await earnest(f"accounts rate {account_id} 50000")).notes == [
            f"{account_id} may use 50000 points a second"
        ]
        assert await database.fetch_value(stored, account_id) == 50_000
        await earnest(f"accounts rate {account_id} default")
        assert await database.fetch_value(stored, account_id) is None
        for nothing in ("much", "-5", "9" * 5000):
            with pytest.raises(CannotStart, match="must be points a second") as refused:
                await earnest(f"accounts rate {account_id} -- {nothing}")
            assert len(str(refused.value)) < 200
        for much in ("99", "100000001"):
            with pytest.raises(DomainError, match="100 to 100000000 points"):
                await earnest(f"accounts rate {account_id} {much}")

    async def test_documents_are_registered_listed_and_removed(self, tmp_path: Path) -> None:
        (tmp_path / "viewer.graphql").write_text("query Viewer { viewer { role } }")
        (tmp_path / "relay.json").write_text(json.dumps({"abc": "query Fees { fees { clientBasisPoints } }"}))
        apollo = {
            "format": "apollo-persisted-query-manifest",
            "operations": [{"name": "Kind", "body": "{ viewer { kind } }"}],
        }
        (tmp_path / "apollo.json").write_text(json.dumps(apollo))
        added = (
            await earnest(f"documents add {tmp_path}/viewer.graphql {tmp_path}/relay.json {tmp_path}/apollo.json")
        ).lines
        assert [line.partition("  ")[2] for line in added] == ["viewer.graphql", "relay.json: abc", "apollo.json: Kind"]
        assert sorted(added) == sorted((await earnest("documents list")).lines)
        identifier = added[0].partition("  ")[0]
        assert identifier == documents.id_of("query Viewer { viewer { role } }")
        assert await documents.text_of(identifier) == "query Viewer { viewer { role } }"
        await earnest(f"documents add {tmp_path}/viewer.graphql")  # once more changes nothing
        assert len((await earnest("documents list")).lines) == 3
        assert (await earnest(f"documents remove {identifier}")).notes == [f"{identifier} is removed"]
        assert (await earnest(f"documents remove {identifier}")).notes == [f"{identifier} was not registered"]
        assert await documents.text_of(identifier) is None

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("a.graphql", "{ nothing }", "is not a document of this API: Cannot query field"),
            ("a.graphql", "{", "is not a document of this API: Syntax Error"),
            ("a.graphql", "{ viewer { role } } #" + "x" * 100_000, "at most 100000 are allowed"),
            ("a.graphql", "{ viewer {" + " role" * 3_000 + " } }", "has more than 3000 tokens"),
            ("a.json", "{", "is not JSON"),
            ("a.json", "[]", "a manifest must be"),
            ("a.json", '{"x": 1}', "holds no document at “x”"),
            ("a.json", '{"operations": [{"id": "x"}]}', "holds no document at “0”"),
            ("a.json", '{"operations": []}', "a.json holds no document$"),
            ("a.json", "{}", "a.json holds no document$"),
            ("a.json", "[" * 100_000, "is not JSON"),
            ("a.json", json.dumps({"\ud800": "{ viewer { role } }"}), "is not a document that can be kept"),
            ("a.json", json.dumps({"x": "{ viewer { role } } #\0"}), "is not a document that can be kept"),
        ],
    )
    async def test_a_file_that_is_not_valid_registers_nothing(
        self, tmp_path: Path, name: str, content: str, says: str
    ) -> None:
        (tmp_path / "good.graphql").write_text("{ viewer { role } }")
        (tmp_path / name).write_text(content)
        with pytest.raises(CannotStart, match=says):
            await earnest(f"documents add {tmp_path}/good.graphql {tmp_path}/{name}")
        assert (await earnest("documents list")).lines == []

    async def test_disabling_and_mediating_are_shown(self) -> None:
        account_id = await told("accounts create Studio")
        assert (await earnest(f"accounts disable {account_id}")).notes == [f"{account_id} is disabled"]
        assert (await earnest(f"accounts disable {account_id}")).notes == [f"{account_id} is disabled already"]
        await earnest(f"accounts appoint {account_id}")
        assert "mediator, disabled" in (await earnest("accounts list")).lines[1]
        await earnest(f"accounts enable {account_id}")
        await earnest(f"accounts dismiss {account_id}")
        assert "mediator" not in (await earnest("accounts list")).lines[1]

    async def test_members_come_and_go(self) -> None:
        account_id = await told("accounts create Studio --owner ana@x.example")
        member_id = await told(f"accounts members add {account_id} ben@x.example --name Ben --role manager")
        assert len((await earnest(f"accounts members list {account_id}")).lines) == 3
        await earnest(f"accounts members remove {member_id}")
        assert (await earnest(f"accounts members erase {member_id}")).notes == [f"{member_id} is forgotten"]
        assert (await earnest(f"accounts members erase {member_id}")).notes == [f"{member_id} is forgotten already"]
        assert len((await earnest(f"accounts members list {account_id}")).lines) == 2

    async def test_a_key_is_made_for_a_member_listed_and_revoked(self) -> None:
        account_id = await told("accounts create Studio --owner ana@x.example")
        member_id = await told(f"accounts members add {account_id} ben@x.example --role viewer")
        line = f"keys create --account {account_id} --member {member_id} --scope money:write --expires 90d --name app"
        token = await told(line)
        actor = await authenticate(token)
        assert actor is not None
        assert (actor.role, actor.scopes) == (Role.VIEWER, frozenset({Scope.MONEY_WRITE}))
        _, row = (await earnest(f"keys list --account {account_id}")).lines
        key_id, hint, scopes, member, contracts, expires, _, name = row.split()
        assert (hint, scopes, member, contracts, name) == (f"…{token[-4:]}", "money:write", member_id, "all", "app")
        assert expires.endswith("Z")
        assert token not in row
        await earnest(f"keys revoke {key_id}")
        assert await authenticate(token) is None
        assert (await earnest(f"keys revoke {key_id}")).notes == [f"{key_id} is revoked already"]

    async def test_a_key_only_reads_unless_asked_for_more(self) -> None:
        account_id = await told("accounts create Studio")
        actor = await authenticate(await told(f"keys create --account {account_id}"))
        assert actor is not None
        assert actor.scopes == frozenset({Scope.CONTRACTS_READ})

    async def test_scopes_may_be_spelled_as_graphql_does(self) -> None:
        account_id = await told("accounts create Studio")
        line = f"keys create --account {account_id} --scope CONTRACTS_WRITE --scope money:write"
        actor = await authenticate(await told(line))
        assert actor is not None
        assert actor.scopes == frozenset({Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE})
        link = await told(f"sessions link --account {account_id} --scope CONTRACTS_WRITE --scope money:write")
        code = tokens.read_code(link.partition("#")[2])
        assert code is not None
        found = await of_link(code)
        assert found is not None
        assert found.scopes == frozenset({Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE})

    async def test_what_was_done_here_is_shown_with_what_was_refused(self) -> None:
        await earnest("keys create --operator")
        await earnest("fees set --client 250 --freelancer 1000")
        with pytest.raises(DomainError):
            await earnest("keys revoke key_nobody")
        head, refused, done = (await _shown("acts --limit 2")).lines
        assert head.split() == ["id", "at", "by", "act", "subject", "end", "trace"]
        assert refused.split()[2:6] == ["command", "line", "RevokeApiKey", "key_nobody"]
        assert refused.split()[6] == ErrorCode.NOT_FOUND
        assert done.split()[4:] == ["SetFees", "-", "done", trace_id()]

    async def test_refused_credentials_are_shown(self) -> None:
        for client in ("192.0.2.1", "192.0.2.2"):
            refusals = Refusals()
            refusals.note(client, "no such key")
            await refusals.write()
        head, line, before = (await _shown("acts --refused")).lines
        assert head.split()[:3] == ["id", "since", "until"]
        assert line.split()[3:8] == ["192.0.2.2", "no", "such", "key", "1"]
        assert (await _shown(f"acts --refused --before {line.split()[0]}")).lines[1].split() == before.split()

    async def test_fees_are_set_and_shown(self) -> None:
        await earnest("keys create --operator")
        shown = (await earnest("fees set --client 250 --freelancer 1000")).lines
        assert shown == (await earnest("fees show")).lines
        assert ["2.5" in shown[0], "10 %" in shown[1]] == [True, True]

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (f"accounts disable {OTHERS_ID}", ErrorCode.NOT_FOUND),
            ("accounts disable nonsense", ErrorCode.NOT_FOUND),
            (f"accounts members list {OTHERS_ID}", ErrorCode.NOT_FOUND),
            (f"keys list --account {OTHERS_ID}", ErrorCode.NOT_FOUND),
            (f"keys create --account {OTHERS_ID}", ErrorCode.NOT_FOUND),
            ("keys create --operator --expires 2020-01-01", ErrorCode.INVALID_INPUT),
            ("fees set --client 10001 --freelancer 0", ErrorCode.INVALID_INPUT),
        ],
    )
    async def test_what_is_refused_says_so(self, line: str, code: ErrorCode) -> None:
        await earnest("keys create --operator")
        with pytest.raises(DomainError) as caught:
            await earnest(line)
        assert caught.value.code is code

    async def test_without_an_operator_there_are_no_keys_of_it_and_no_fees_to_set(self) -> None:
        assert (await earnest("keys list --operator")).notes
        assert (await earnest("sessions list --operator")).notes
        assert await database.fetch_value("SELECT count(*) FROM accounts") == 0  # whoever looks makes nothing
        with pytest.raises(DomainError) as caught:
            await earnest("fees set --client 1 --freelancer 1")
        assert caught.value.code is ErrorCode.INVALID_STATE


# The whole way


async def started(line: str, **environ: str) -> tuple[int, str, str]:
    return await commanded(*line.split(), environ={**os.environ, **environ})


def settings(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
    }


async def test_the_output_of_a_new_key_is_the_key_alone(database_clone: str, redis_url: str) -> None:
    code, said, remarked = await started("keys create --operator", **settings(database_clone, redis_url))
    assert (code, said[:3], len(said.strip())) == (0, "ek_", 55)
    assert said.strip() not in remarked
    code, said, remarked = await started("accounts disable nonsense", **settings(database_clone, redis_url))
    assert (code, said) == (2, "")
    assert remarked == "earnest: NOT_FOUND: There is no account nonsense. (accountId)\n"


async def test_a_database_that_is_not_there_or_empty_is_one_clear_line(server: TestServer, redis_url: str) -> None:
    empty = server.url("postgres")
    code, _, remarked = await started("fees show", **settings(empty, redis_url))
    assert (code, remarked) == (2, "earnest: the database has no tables yet: run `earnest migrate`\n")
    code, _, remarked = await started("fees show", **settings("postgres://nobody@127.0.0.1:1/nothing", redis_url))
    assert (code, remarked.count("\n")) == (2, 1)
    assert remarked.startswith("earnest: the database does not answer: ")


async def test_a_table_that_somebody_does_not_let_go_is_one_clear_line(database_clone: str) -> None:
    holder, other = await asyncpg.connect(database_clone), await asyncpg.connect(database_clone)
    async with holder.transaction():
        await holder.execute("LOCK TABLE deployment")
        with pytest.raises(CannotStart, match=r"a table is taken: .*pg_stat_activity"), in_one_line():
            async with other.transaction():
                await other.execute("LOCK TABLE deployment NOWAIT")
    await asyncio.gather(holder.close(), other.close())


ON_THE_DATABASE = ("audit", "reconcile", "secrets", "erase ctr_1", "restore --settle ord_1")
"""Commands that read tables and open the database themselves."""


@pytest.mark.parametrize("line", [*ON_THE_DATABASE, "migrate", "migrate --pending", "restore --finish"])
async def test_a_database_that_is_away_is_one_line_and_no_finding(line: str, redis_url: str) -> None:
    code, said, remarked = await started(line, **settings("postgres://nobody@127.0.0.1:1/nothing", redis_url))
    assert (code, said, remarked.count("\n")) == (2, "", 1), remarked
    assert remarked.startswith("earnest: the database does not answer: ")


@pytest.mark.parametrize("line", ON_THE_DATABASE)
async def test_a_database_without_tables_is_one_line_and_no_finding(
    line: str, server: TestServer, redis_url: str
) -> None:
    code, said, remarked = await started(line, **settings(server.url("postgres"), redis_url))
    assert (code, said) == (2, "")
    assert remarked == "earnest: the database has no tables yet: run `earnest migrate`\n"


@pytest.mark.parametrize("line", ["audit", "reconcile", "fees show", "migrate"])
async def test_a_role_that_lacks_rights_is_one_line_and_no_finding(
    line: str, database_clone: str, redis_url: str
) -> None:
    role = f"rightless_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(database_clone)
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
        url = database_clone.replace("postgres://postgres:", f"postgres://{role}:")
        code, said, remarked = await started(line, **settings(url, redis_url))
        await connection.execute(f"DROP ROLE {role}")
    finally:
        await connection.close()
    assert (code, said, remarked.count("\n")) == (2, "", 1), remarked
    assert remarked.startswith("earnest: the database does not let us: permission denied for ")
    assert "earnest doctor" in remarked


@pytest.mark.parametrize("line", ["secrets", "accounts list"])
async def test_tables_of_an_earlier_release_are_one_line_and_no_finding(
    line: str, database_clone: str, redis_url: str
) -> None:
    connection = await asyncpg.connect(database_clone)
    try:
        await connection.execute("DELETE FROM tortoise_migrations WHERE app = 'escrow'")
        await connection.execute("ALTER TABLE payment_orders RENAME COLUMN payment_token TO token_of_before")
        await connection.execute("ALTER TABLE accounts RENAME COLUMN name TO name_of_before")
    finally:
        await connection.close()
    code, said, remarked = await started(line, **settings(database_clone, redis_url))
    assert (code, said) == (2, "")
    assert remarked == "earnest: the database's tables are an earlier release's: run `earnest migrate`\n"


async def test_a_database_that_takes_no_writes_is_one_line(database_clone: str, redis_url: str) -> None:
    connection = await asyncpg.connect(database_clone)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    finally:
        await connection.close()
    code, said, remarked = await started("keys create --operator", **settings(database_clone, redis_url))
    assert (code, said, remarked.count("\n")) == (2, "", 1), remarked
    assert remarked.startswith("earnest: the database takes no writes: cannot execute INSERT")
    assert "DATABASE_URL must name the primary" in remarked


async def test_an_archive_that_gets_nothing_says_so(database_clone: str, redis_url: str, tmp_path: Path) -> None:
    code, said, remarked = await started(f"archive {tmp_path}", **settings(database_clone, redis_url))
    assert (code, said) == (0, "")
    assert remarked.startswith("nothing to be archived: ")


async def test_an_archive_of_a_database_that_is_away_or_empty_is_refused_too(
    server: TestServer, redis_url: str, tmp_path: Path
) -> None:
    for url, says in (
        ("postgres://nobody@127.0.0.1:1/nothing", "does not answer"),
        (server.url("nothing_of_that_name"), "does not answer"),
        (server.url("postgres"), "has no tables yet"),
    ):
        code, said, remarked = await started(f"archive {tmp_path}", **settings(url, redis_url))
        assert (code, said, remarked.count("\n")) == (2, "", 1), remarked
        assert says in remarked


def test_an_expiry_is_a_number_of_days_or_a_time() -> None:
    assert expiry("2027-01-31") == datetime(2027, 1, 31, tzinfo=UTC)
    assert expiry("2027-01-31T12:00+02:00") == datetime(2027, 1, 31, 10, tzinfo=UTC)
    assert timedelta(days=29) < expiry("30d") - datetime.now(UTC) <= timedelta(days=30)
    for wrong in ("", "0d", "d", "-1d", "99999d", "soon", "2027-13-01"):
        with pytest.raises(argparse.ArgumentTypeError, match="neither"):
            expiry(wrong)


async def test_the_demos_operator_key_is_made_on_a_database_of_its_own_choice(
    database_clone: str, redis_url: str
) -> None:
    script = """
import asyncio, sys
from earnest.operator import make_operator_key
print(asyncio.run(make_operator_key(sys.argv[1], name="Demo")))
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, database_clone, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.startswith(b"ek_")
    code, listed, _ = await started("keys list --operator", **settings(database_clone, redis_url))
    assert (code, listed.count("\n")) == (0, 2)
    assert "operator" in listed
