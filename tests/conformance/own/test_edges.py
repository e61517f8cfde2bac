"""What both clients make of what seldom comes: a crash of the whole machine, documents of one's own, forged headers."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.own.conftest import Installed
from tests.conformance.own.stand_in import ANSWERS, CONTRACT, stand_in
from tests.docs.product import ROOT
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.certificates import Authority

KEYED: Final = 'acceptContract(input: {contractId: "ctr_1", of: [1]}) @idempotent(key: $key) { contract { id } }'
BARE: Final = KEYED.replace(" @idempotent(key: $key)", "")
REPEATABLE: Final = (
    "{ viewer { accountId } }",
    'query mutation($at: In = {a: "}"}) @live(on: true) { mutation(a: """ \\""" } """) { id } ...More } fragment More on A { a }',
    'query Words { find(words: "mutation { pay }") { id } } # mutation { pay }',
    f'mutation Accept($key: String! = "{{") {{ {KEYED} }}',
    f"mutation {{ one: {KEYED}, two: {KEYED} }} fragment More on Contract {{ id }}",
    "mutation { pay @include(if: $so) @idempotent(key: $key) @skip(if: $no) }",
    f"# The whole\nmutation {{ # of it {{\n {KEYED} }}",
)
UNSAFE: Final = (
    f"mutation {{ {BARE} }}",
    f"mutation {{ one: {KEYED} two: {BARE} }}",
    f"mutation {{ one: {BARE} two: {KEYED} }}",
    f"mutation One {{ {KEYED} }} mutation Two {{ {BARE} }}",
    f"query {{ pay @idempotent(key: 1) }} mutation {{ {BARE} }}",
    'mutation { pay(why: "@idempotent(key: 1)") { id } }',
    'mutation { pay(why: """ \\""" @idempotent(key: 1) """) { id } }',
    "mutation { pay # @idempotent(key: 1)\n { id } }",
    "mutation { pay # @idempotent(key: 1)\r { id } }",
    "mutation @idempotent(key: 1) { pay }",
    "mutation Pay($a: Int @idempotent(key: 1)) { pay }",
    "mutation { pay { id @idempotent(key: 1) } }",
    "mutation { pay(a: {b: 1} @idempotent(key: 1)) { id } }",
    "mutation { pay @idempotentNot(key: 1) }",
    "mutation { pay @idempotent }",
    "mutation { ...All @idempotent(key: 1) } fragment All on Mutation { pay }",
    f"mutation {{ {KEYED} ...All }} fragment All on Mutation {{ pay }}",
    f"mutation {{ {KEYED} ... on Mutation {{ pay }} }}",
    f'mutation {{ {KEYED} pay(why: " }}',
    f"mutation {{ {KEYED}",
    f"mutation {{ {KEYED} }} }}",
    f"mutation {{ {KEYED} ) }}",
    "",
)


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_a_key_is_on_the_disk_under_its_name_before_it_is_given(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    assert json.loads(installed.run("flushing", within=tmp_path, environ={})) == {
        "flushed": ["file", "folder"],
        "where folders can't be flushed": "key",
        "where the disk fails": "no key",
    }


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_a_mutation_is_repeated_only_if_each_of_its_fields_has_a_key(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    ours = [path.read_text() for path in sorted((ROOT / "clients" / "operations").glob("*.graphql"))]
    documents = [*ours, "\n".join(ours), *REPEATABLE, *UNSAFE]
    (tmp_path / "documents.json").write_text(json.dumps(documents))
    verdicts = json.loads(installed.run("repeating", within=tmp_path, environ={}))
    unsafe = [
        document for document, may_be_sent_again in zip(documents, verdicts, strict=True) if not may_be_sent_again
    ]
    assert unsafe == [*UNSAFE]


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_a_forged_time_is_not_verified_however_long_it_is(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    no_number = "Its timestamp is no number of seconds."
    assert json.loads(installed.run("forging", within=tmp_path, environ={})) == {
        "10": "It is Earnest's.",
        "12": "None of its signatures is by any of the keys.",
        "an id that is no text": "None of its signatures is by any of the keys.",
        **dict.fromkeys(("0", "13", "400", "5000"), no_number),
    }


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_what_crosses_is_neither_lost_nor_passed_over_in_silence(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    (change,) = ANSWERS["Changes"]["changes"]["nodes"]
    added = ANSWERS["Changes"]["changes"] | {"nodes": [change | {"contract": CONTRACT | {"id": "ctr_2"}}]}
    answers = ANSWERS | {"Changes": {"changes": added}, "Contract": {"contract": None}}
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    is_python = client == "in_python"
    no_bell = "there are no streams here" if is_python else "Error: There is no WebSocket here"
    said = json.loads(installed.run("crossing", within=tmp_path, environ={}))
    assert said.pop("without a bell").startswith(no_bell)
    assert said == {
        "beside a look": ["cur_0000000000002", ["ctr_1", "ctr_2"]],
        "after a cut": True,
        "behind a wall": "HTTP_403",
        **({"cut off": {"first": "1", "second": "2"}} if is_python else {}),
    }


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_who_was_let_go_is_back_at_once_and_who_waits_long_waits_longer(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    said = json.loads(installed.run("waiting", within=tmp_path, environ={}))
    refused, quiet = said["refused at once"], said["cut after a quiet while"]
    assert refused[0] <= 0.05
    assert all(wait <= sum(refused[:number]) + 0.06 for number, wait in enumerate(refused)), "later than it was away"
    assert 2.5 <= refused[-1] <= 5
    assert max(quiet) <= 0.05, "it begins anew each time"
    assert said["out of patience"] == [None]
    assert said["asked to wait"] == 30
    *exact, in_an_hour = said["headers"]
    assert exact == [7, 0, 0, 0, 0]
    assert 3600 - PATIENCE_SECONDS < in_an_hour <= 3600


def test_streams_trust_whom_requests_trust(in_python: Installed, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    (vouching,) = authority.client().get_ca_certs(binary_form=True)
    (tmp_path / "authority.pem").write_text(ssl.DER_cert_to_PEM_cert(vouching))
    with stand_in(certificate=tmp_path / "127.0.0.1-False.pem") as server:
        said = in_python.run("vouched", within=tmp_path, environ={"EARNEST_URL": server.url})
    assert json.loads(said) == ["evt_2", "evt_3"]
