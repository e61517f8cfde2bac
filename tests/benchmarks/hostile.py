"""What one client feels of another: a small query's latency, alone and beside eight threads that ask for what is dear.

Each kind of attack is measured by itself, then all of them mixed. The attackers are a process of their own and never pause; the
bystander has a key of another account. Ratios can be compared between machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import orjson
from graphql import get_introspection_query
from websockets.frames import Frame, Opcode

from escrow import bell, database, ids, pipeline
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.ids import Kind
from escrow.settings import POINTS_PER_SECOND
from tests.benchmarks.options import Options
from tests.benchmarks.processes import web
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deployment

THREADS: Final = 8
PLAN: Final = 200
PLANS: Final = 12
SMALL: Final = "query ($id: ID!) { contract(id: $id) { id title state } }"

Requests = Sequence[tuple[bytes, str | None]]
"""Bodies, each with the token that it is sent with; without a token, what doesn't begin like one is sent as it is."""

SHOUTED_SECONDS: Final = 1.0
"""How long an attacker listens for what comes of bytes that it just sent."""

HANDSHAKE: Final = (
    b"GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Felt:
    """How long the bystander waited, in milliseconds, and what the attackers got."""

    p50: float
    p99: float
    worst: float
    answered: int
    refused: int


async def tables(server: TestServer, redis_url: str, options: Options) -> list[Table]:
    """The bystander alone, beside each attack, and beside all of them."""
    url = await server.clone()
    await database.connect(url)
    await bell.connect(redis_url)
    try:
        there = await Deployment.make()
        deals = [await there.activate(*["10.00"] * PLAN) for _ in range(PLANS)]
        token, other = [await _token(one, there.operator) for one in (there.client, there.freelancer)]
        contract_ids = [deal.id for deal in deals]
        attacks = _attacks(token, contract_ids, [one.account_id or "" for one in (there.client, there.freelancer)])
        attacks |= _shouts(token)
        attacks["all of them at once"] = [one for requests in attacks.values() for one in requests]
        attacks = _chosen(attacks, options.attacks)
        body = orjson.dumps({"query": SMALL, "variables": {"id": contract_ids[0]}})
        with tempfile.TemporaryDirectory() as folder:
            async with web(url, redis_url, Path(folder) / "web.log", rate=f"{POINTS_PER_SECOND:.0f}") as (port, _):
                quiet = await _felt(port, body, other, [], options.seconds * 3)
                felt = {
                    name: await _felt(port, body, other, requests, options.seconds * 3)
                    for name, requests in attacks.items()
                }
    finally:
        await bell.disconnect()
        await database.disconnect()
        await server.drop(url)
    return [_table(quiet, felt)]


def _chosen(attacks: dict[str, Any], words: str) -> dict[str, Any]:
    """The attacks whose names hold one of the words; all if there are none."""
    return {name: one for name, one in attacks.items() if any(word.strip() in name for word in words.split(","))}


async def _token(whose: Actor, operator: Actor) -> str:
    token = tokens.new()
    creation = commands.CreateApiKey(
        account_id=whose.account_id or "",
        key_id=ids.new(Kind.KEY),
        name="Measured",
        scopes=(Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE),
        token=token,
    )
    await pipeline.run(creation, by=operator)
    return token.text


def _attacks(
    token: str, contract_ids: Sequence[str], parties: Sequence[str]
) -> dict[str, list[tuple[bytes, str | None]]]:
    """What was found to hold up others, each as requests to repeat."""
    plan, draft, terms = drafts(PLAN), "[MilestoneDraftInput!]!", offer(parties, PLAN)
    proposal, preview = (
        "proposeContract(input: $o) { contract { id } }",
        "preview(command: {proposeContract: $o}) { __typename }",
    )
    whole = "id timeline { nodes { id type } } milestones { id allowedActions { action } } allowedActions { action }"
    return {
        "introspection, no key": [_request(get_introspection_query(), None)],
        "49 aliases of __schema": [
            _request(_often("query", "__schema { types { name fields { name } } }"), None)
        ],
        "49 reviews of 200 milestones": [
            _request(_often(f"query ($p: {draft})", "reviewPlan(plan: $p) { message }"), token, p=plan)
        ],
        "a review of 200 milestones": [
            _request(f"query ($p: {draft}) {{ reviewPlan(plan: $p) {{ message }} }}", token, p=plan)
        ],
        "49 previews of 200 milestones": [_request(_often("query ($o: ProposeContractInput!)", preview), token, o=terms)],
        "a preview of 200 milestones": [
            _request(f"query ($o: ProposeContractInput!) {{ {preview} }}", token, o=terms)
        ],
        "49 proposals of 200 milestones": [
            _request(_often("mutation ($o: ProposeContractInput!)", proposal), token, o=terms)
        ],
        "a proposal of 200 milestones": [
            _request(f"mutation ($o: ProposeContractInput!) {{ {proposal} }}", token, o=terms)
        ],
        "100 times the same node": [
            _request("query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Contract { " + whole + " } } }", token,
                     ids=[contract_ids[0]] * 100)
        ],
        "12 plans of 200, allowed actions": [
            _request("{ contracts(first: 12) { nodes { id milestones { id allowedActions { action } } } } }", token)
        ],
        "1 plan of 200, allowed actions": [
            _request("{ contracts(first: 1) { nodes { id milestones { id allowedActions { action } } } } }", token)
        ],
        "2,900 fields, always new": [
            _new(lambda n: "{ " + f"a{n}: __typename " + "__typename " * 2_900 + "}", n) for n in range(300)
        ],
        "700 variables, always new": [
            _new(lambda n: f"query Q{n}(" + ",".join(f"$v{i}: ID" for i in range(700)) + ") { __typename }", n)
            for n in range(300)
        ],
        "chains of 250 fragments, always new": [
            _new(
                lambda n: "{ ...F0 } "
                + " ".join(f"fragment F{i} on Query {{ a{n}: __typename ...F{i + 1} }}" for i in range(250))
                + " fragment F250 on Query { __typename }",
                n,
            )
            for n in range(300)
        ],
        "wrong keys": [(orjson.dumps({"query": "{ viewer { role } }"}), tokens.new().text) for _ in range(300)],
    }  # fmt: skip


def _shouts(token: str) -> dict[str, list[tuple[bytes, str | None]]]:
    """What doesn't even ask for an operation, or asks for many on one connection."""
    head = b"GET / HTTP/1.1\r\nhost: x\r\n"
    init = _frame({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    replay = "subscription ($after: Cursor) { events(after: $after) { cursor a%d: type data } }"
    replays = [
        _frame(
            {
                "id": str(n),
                "type": "subscribe",
                "payload": {"query": replay % n, "variables": {"after": "cur_0000000000000"}},
            }
        )
        for n in range(100)
    ]
    small = [
        _frame({"id": str(n), "type": "subscribe", "payload": {"query": "{ viewer { role } }"}}) for n in range(100)
    ]
    chunked = (
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    begun = Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True)
    shouts = {
        "pages": (head + b"\r\n") * 30,
        "wrong calendars": b"GET /calendar/cal_%b.ics HTTP/1.1\r\nhost: x\r\n\r\n" % (b"0" * 52),
        "40,000 headers": head + b"x: y\r\n" * 40_000 + b"\r\n",
        "10,000 requests one behind the other": (head + b"\r\n") * 10_000,
        "a body in 40,000 pieces": chunked + b"1\r\n \r\n" * 40_000,
        "10,000 pings": HANDSHAKE + init + _repeated(Opcode.PING),
        "10,000 pings, no key": HANDSHAKE + _repeated(Opcode.PING),
        "10,000 pongs": HANDSHAKE + init + _repeated(Opcode.PONG),
        "10,000 fragments": HANDSHAKE + init + begun + _repeated(Opcode.CONT, b"x", fin=False),
        "10,000 empty messages": HANDSHAKE + init + _repeated(Opcode.TEXT),
        "10,000 unknown messages": HANDSHAKE + init + _frame({"type": "?"}) * 10_000,
        "10,000 messages, no key": HANDSHAKE + _frame({"type": "ping"}) * 10_000,
        "10,000 messages": HANDSHAKE + init + _frame({"type": "ping"}) * 10_000,
        "100 operations at once": HANDSHAKE + init + b"".join(small),
        "100 replays at once": HANDSHAKE + init + b"".join(replays),
    }
    return {name: [(said, None)] for name, said in shouts.items()}


def _repeated(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True) * 10_000


def _frame(message: Mapping[str, Any]) -> bytes:
    return Frame(Opcode.TEXT, orjson.dumps(message)).serialize(mask=True)


def drafts(length: int) -> list[dict[str, Any]]:
    """A plan of so many milestones."""
    return [
        {"title": f"Step {n}", "purpose": "", "deliverables": ["One"], "dueOn": "2100-01-01",
         "amount": {"amount": "10.00", "currency": "USD"}}
        for n in range(length)
    ]  # fmt: skip


def offer(parties: Sequence[str], length: int) -> dict[str, Any]:
    """The input of a proposal between these accounts."""
    named = {"clientId": parties[0], "freelancerId": parties[1]}
    return named | {"title": "A plan", "currency": "USD", "milestones": drafts(length)}


def _often(head: str, field: str) -> str:
    return f"{head} {{ {' '.join(f'a{n}: {field}' for n in range(49))} }}"


def _request(query: str, token: str | None, **variables: Any) -> tuple[bytes, str | None]:
    return orjson.dumps({"query": query, "variables": variables}), token


def _new(text: Callable[[int], str], number: int) -> tuple[bytes, str | None]:
    return _request(text(number), None)


async def _felt(port: int, body: bytes, token: str, requests: Requests, seconds: float) -> Felt:
    """The bystander's waits while the attackers are at work."""
    context = multiprocessing.get_context("spawn")
    begun, ended = context.Event(), context.Event()
    results: Any = context.Queue()
    attackers = context.Process(target=_attack, args=(port, requests, begun, ended, results), daemon=True)
    if requests:
        attackers.start()
        await asyncio.to_thread(begun.wait)
    try:
        waits = sorted(await asyncio.to_thread(_wait_often, port, body, token, seconds))
    finally:
        ended.set()
    answered, refused = await asyncio.to_thread(results.get) if requests else (0, 0)
    if requests:
        await asyncio.to_thread(attackers.join)
    return Felt(waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1], answered, refused)


def _wait_often(port: int, body: bytes, token: str, seconds: float) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    waits = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        status, answer = _post(connection, body, token)
        waits.append(1000 * (time.perf_counter() - began))
        if status != 200 or b'"errors"' in answer:
            raise RuntimeError(f"the bystander was refused: {status} {answer[:300]!r}")
        time.sleep(0.002)
    return waits


def _attack(port: int, requests: Requests, begun: Event, ended: Event, results: Any) -> None:
    """Eight threads that send the requests again and again, each beginning at another."""
    counts = {"answered": 0, "refused": 0}

    def one(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        place = number * 37
        while not ended.is_set():
            body, token = requests[place % len(requests)]
            place += 1
            try:
                status, answer = _shout(port, body) if body[:1] != b"{" else _post(connection, body, token)
                counts["refused" if status != 200 or answer.startswith(b'{"errors"') else "answered"] += 1
            except (OSError, http.client.HTTPException):
                counts["refused"] += 1
                connection.close()
            begun.set()

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((counts["answered"], counts["refused"]))


def _post(connection: http.client.HTTPConnection, body: bytes, token: str | None) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    try:
        connection.request("POST", "/graphql", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        with contextlib.suppress(OSError):
            connection.close()
        raise


def _shout(port: int, said: bytes) -> tuple[int, bytes]:
    """Send the bytes on a connection of their own, and listen until the server hangs up or a moment has passed."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        if said.startswith(HANDSHAKE):
            connection.sendall(HANDSHAKE)
            connection.recv(4_096)
            said = said[len(HANDSHAKE) :]
        connection.sendall(said)
        connection.settimeout(SHOUTED_SECONDS)
        heard, until = b"", time.perf_counter() + SHOUTED_SECONDS
        with contextlib.suppress(TimeoutError):
            while time.perf_counter() < until and (more := connection.recv(1 << 20)):
                heard = heard or more
    return (200 if b" 200 " in heard[:20] or heard[:1] == b"\x81" else 400), heard


def _table(quiet: Felt, felt: Mapping[str, Felt]) -> Table:
    rows = [
        [
            name,
            f"{one.p50:.1f}",
            f"{one.p99:.1f}",
            f"{one.worst:.0f}",
            f"{one.p99 / quiet.p99:.1f}",
            f"{one.answered}",
            f"{one.refused}",
        ]
        for name, one in {"nobody": quiet, **felt}.items()
    ]
    return Table(
        name="hostile",
        caption=f"A small query of one account, in milliseconds, beside {THREADS} threads of another that ask for:",
        columns=("", "p50", "p99", "worst", "p99, ratio to quiet", "answered", "refused"),
        rows=rows,
    )
