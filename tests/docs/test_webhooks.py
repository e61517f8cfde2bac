"""The page for integrators, done as it says: its receiver gets real deliveries, its verifier sees what is missing or altered."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.docs.conftest import Deployed
from tests.docs.product import ROOT, run, shell_blocks
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS

PAGE = "docs/integrating/webhooks.md"


def programs() -> list[str]:
    """The receiver and the verifier, as they stand on the page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)


class Product:
    """A running product in a folder."""

    def __init__(self, root: Path, port: int, keys: dict[str, str]) -> None:
        self.root = root
        self.port = port
        self.keys = keys

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an operation by the client."""
        body = json.dumps({"query": query, "variables": variables})
        (self.root / "query.json").write_text(body)
        answer = run(
            f"curl -s http://127.0.0.1:{self.port}/graphql -H 'authorization: Bearer {self.keys['client']}' "
            f"-H 'content-type: application/json' -d @'{self.root}/query.json'"
        )
        assert "errors" not in answer, answer
        return answer["data"]

    def typed(self, block: str, **filled: str) -> Any:
        """The data of a request of the page, typed by the client."""
        text = block.replace(":8000", f":{self.port}").replace("KEY=ek_…", f"KEY={self.keys['client']}")
        text = text if text.startswith("KEY=") else f"KEY={self.keys['client']}\n{text}"
        for placeholder, value in filled.items():
            text = text.replace(placeholder, value)
        return run(text)["data"]

    def act(self) -> None:
        """Something happens: the client adds a milestone to the demo's contract."""
        contract = self.ask("{ contracts(first: 1) { nodes { id } } }")["contracts"]["nodes"][0]["id"]
        milestone = {
            "title": "One more",
            "purpose": "So that something happens",
            "amount": {"amount": "10.00", "currency": "USD"},
            "dueOn": "2100-01-01",
            "deliverables": ["A page"],
        }
        done = self.ask(
            "mutation ($input: AddMilestoneInput!) { addMilestone(input: $input) { userErrors { message } } }",
            input={"contractId": contract, "milestone": milestone},
        )
        assert done["addMilestone"]["userErrors"] == []


@pytest.fixture
def product(deployed: Deployed) -> Product:
    return Product(deployed.root, deployed.port, deployed.keys)


class Program:
    """A program that was started, and what it said so far."""

    def __init__(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        self._log = log
        self.process = process

    @property
    def said(self) -> str:
        return self._log.read_text()

    def until(self, found: Callable[[str], bool]) -> str:
        """What it said once this is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not found(self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return self.said


@contextmanager
def program(folder: Path, name: str, *command: str, **environ: str) -> Iterator[Program]:
    """A program in a folder, told to stop if it has not ended."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env={"PATH": "/usr/bin:/bin", **environ}
        )
        try:
            yield Program(log, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def listens(port: int) -> bool:
    """Whether somebody listens at this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def verify(verifier: Path, bodies: list[str]) -> tuple[int, str]:
    """What the verifier says of these requests."""
    file = verifier.parent / "bodies.jsonl"
    file.write_text("".join(f"{body}\n" for body in bodies))
    done = subprocess.run([sys.executable, verifier, file], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_programs_are_as_short_as_promised() -> None:
    receiver, verifier = programs()
    assert len(receiver.splitlines()) <= 30
    assert len(verifier.splitlines()) <= 55


def test_the_page_can_be_followed_to_the_proof(product: Product, tmp_path: Path) -> None:
    receiver, verifier = programs()
    create, test, look = shell_blocks(PAGE)
    (tmp_path / "receiver.py").write_text(receiver)
    (tmp_path / "verify.py").write_text(verifier)
    port = str(free_port())
    made = product.typed(create, **{":3000": f":{port}"})["createWebhookEndpoint"]
    assert made["userErrors"] == []
    endpoint, secret = made["webhookEndpoint"]["id"], made["secret"]

    with program(tmp_path, "receiver", sys.executable, "receiver.py", WEBHOOK_SECRET=secret, PORT=port) as receiving:
        receiving.until(lambda _: listens(int(port)))
        sent = product.typed(test, **{"ENDPOINT=whe_…": f"ENDPOINT={endpoint}"})["sendTestEvent"]
        assert sent["userErrors"] == []
        receiving.until(lambda said: "endpoint.test" in said)
        product.act()
        receiving.until(lambda said: "milestone.added" in said)

        def seen() -> list[dict[str, Any]]:
            """What was sent since the test; what came before it may have been for other programs."""
            nodes = product.typed(look)["deliveries"]["nodes"]
            return [delivery for delivery in nodes if delivery["id"] >= sent["delivery"]["id"]]

        def delivered() -> set[str]:
            return {delivery["eventType"] for delivery in seen() if delivery["state"] == "DELIVERED"}

        # A request is noted after the receiver has said what came.
        receiving.until(lambda _: {"endpoint.test", "milestone.added"} <= delivered())
        assert {attempt["status"] for delivery in seen() for attempt in delivery["attempts"]["nodes"]} == {204}
        replayed = product.ask(
            "mutation ($input: ReplayEventsInput!) { replayEvents(input: $input) { userErrors { message } } }",
            input={"endpointId": endpoint, "since": "2000-01-01T00:00:00Z"},
        )
        assert replayed["replayEvents"]["userErrors"] == []
        total = product.ask("{ contracts(first: 1) { nodes { version } } }")["contracts"]["nodes"][0]["version"]
        receiving.until(lambda said: sum(line.startswith("ctr_") for line in said.splitlines()) >= total)

    bodies = (tmp_path / "received.jsonl").read_text().splitlines()
    assert verify(tmp_path / "verify.py", bodies) == (0, verify(tmp_path / "verify.py", bodies)[1])
    said = verify(tmp_path / "verify.py", bodies)[1]
    assert f"1 to {total}" in said
    told, unknown = said.split("These requests can't tell:\n")
    assert "nothing is missing" in told
    assert f"whether #{total} is the last" in unknown
    stream = [body for body in bodies if json.loads(body)["data"]["event"]["stream"].startswith("ctr_")]
    late = verify(
        tmp_path / "verify.py", sorted(stream, key=lambda body: json.loads(body)["data"]["event"]["sequence"])[2:]
    )
    assert late[0] == 0
    assert "whether #1 to #2 are as they were" in late[1]
    assert len(bodies) == len({json.loads(body)["data"]["event"]["id"] for body in bodies})

    contract = [body for body in bodies if json.loads(body)["data"]["event"]["stream"].startswith("ctr_")]
    for number, body in enumerate(contract[:-1]):
        event = json.loads(body)["data"]["event"]
        if 1 < event["sequence"] < total:
            code, said = verify(tmp_path / "verify.py", contract[:number] + contract[number + 1 :])
            assert code == 1
            assert f"#{event['sequence']} is missing" in said
    for altered, complaint in [
        (alter(contract, lambda data: data["event"]["actor"].update(kind="CLOCK")), "was altered"),
        (
            alter(contract, lambda data: data["event"]["data"].update(amount={"amount": "1.00", "currency": "USD"})),
            "was altered",
        ),
        (alter_words(contract), "the words of"),
    ]:
        code, said = verify(tmp_path / "verify.py", altered)
        assert code == 1
        assert complaint in said


def test_what_a_restore_undid_is_left_out_of_the_proof(tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text(programs()[1])
    one = sent(1, None)
    two = sent(2, one)
    void, void_too = sent(3, two, cursor="cur_0000000000003", text="void"), sent(4, two, cursor="cur_0000000000004")
    new = sent(3, two, cursor="cur_00001yk000000")
    cut = sent(0, None, cursor=None, kind="log.cut", keptCursor="cur_0000000000002", firstCursor="cur_00001yk000000")
    bodies = [one, two, void, void_too, new]
    code, said = verify(tmp_path / "verify.py", bodies)
    assert (code, "came twice, and differently" in said) == (1, True), said
    for place in range(len(bodies) + 1):
        code, said = verify(tmp_path / "verify.py", [*bodies[:place], cut, *bodies[place:]])
        assert (code, "ctr_1: 1 to 3" in said) == (0, True), said
    tried = json.loads(cut)
    tried["data"]["test"] = True
    assert verify(tmp_path / "verify.py", [*bodies, json.dumps(tried)])[0] == 1, "a test undoes nothing"


def test_an_event_whose_place_alone_was_lost_stays_in_the_proof_and_comes_once_from_each_place(tmp_path: Path) -> None:
    receiver, verifier = programs()
    (tmp_path / "receiver.py").write_text(receiver)
    (tmp_path / "verify.py").write_text(verifier)
    secret, port = f"whsec_{base64.b64encode(bytes(24)).decode()}", free_port()
    one = sent(1, None)
    two, moved = (sent(2, one, cursor=cursor) for cursor in ("cur_0000000000002", "cur_00001yk000000"))
    three = sent(3, two, cursor="cur_00001yk000001")
    cut = sent(0, None, cursor=None, kind="log.cut", keptCursor="cur_0000000000001", firstCursor="cur_00001yk000000")
    with program(tmp_path, "receiver", sys.executable, "receiver.py", WEBHOOK_SECRET=secret, PORT=str(port)) as taking:
        taking.until(lambda _: listens(port))
        for name, body in (("1", one), ("2", two), ("2", two), ("cut", cut), ("2", moved), ("2", moved), ("3", three)):
            post(port, secret, f"evt_{name}", body)
    bodies = (tmp_path / "received.jsonl").read_text().splitlines()
    assert bodies == [one, two, cut, moved, three]
    code, said = verify(tmp_path / "verify.py", bodies)
    assert (code, "ctr_1: 1 to 3" in said) == (0, True), said


def post(port: int, secret: str, name: str, body: str) -> None:
    """A request as an endpoint gets it."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(name, now, body)
    headers = {"webhook-id": name, "webhook-timestamp": f"{int(now.timestamp())}", "webhook-signature": signature}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/", body, headers)
    assert connection.getresponse().status == 204
    connection.close()


def sent(
    sequence: int, before: str | None, *, cursor: str | None = "", kind: str = "milestone.updated", **said: str
) -> str:
    """The body of a request after another one of the same stream."""
    former = json.dumps(json.loads(before)["data"]["event"], sort_keys=True, separators=(",", ":")) if before else None
    event = {
        "stream": "ctr_1",
        "sequence": sequence,
        "type": kind,
        "previousHash": hashlib.sha256(former.encode()).hexdigest() if former else None,
        "data": said,
    }
    place = f"cur_{sequence:013}" if cursor == "" else cursor
    return json.dumps({"type": kind, "data": {"cursor": place, "event": event, "texts": {}}})


def alter(bodies: list[str], change: Callable[[dict[str, Any]], None], place: int = 3) -> list[str]:
    """The requests with one of them changed, as somebody on the way could."""
    body = json.loads(bodies[place])
    change(body["data"])
    return [*bodies[:place], json.dumps(body), *bodies[place + 1 :]]


def alter_words(bodies: list[str]) -> list[str]:
    place = next(
        number for number, body in enumerate(bodies) if any((json.loads(body)["data"]["texts"] or {"": None}).values())
    )

    def change(data: dict[str, Any]) -> None:
        words = next(words for words in data["texts"].values() if words)
        words["text"] = "Something else"

    return alter(bodies, change, place)


def test_listening_hands_events_on_and_nothing_is_lost_while_nobody_is_there(product: Product, tmp_path: Path) -> None:
    port = free_port()
    earnest = str(Path(sys.executable).parent / "earnest")
    listen = (earnest, "listen", "--forward-to", f"http://127.0.0.1:{port}/hook", "--event", "milestone.*")
    (tmp_path / "receiver.py").write_text(programs()[0])
    receive = (sys.executable, str(tmp_path / "receiver.py"))

    def added(said: str) -> int:
        return said.count("milestone.added")

    def answered(said: str) -> int:
        return len(re.findall(r"milestone\.added +ctr_\w+ #\d+  -> 204 in \d+ ms", said))

    with program(product.root, "listen", *listen) as listening:
        secret = re.search(r"whsec_\S+", listening.until(lambda said: "Forwarding" in said))
        assert secret is not None
        Webhook(secret[0])
        product.act()  # the program isn't there yet
        listening.until(lambda said: "Nobody answers" in said)
        product.act()
        with program(tmp_path, "receiver", *receive, WEBHOOK_SECRET=secret[0], PORT=str(port)) as receiving:
            listening.until(lambda said: "It is back" in said)
            receiving.until(lambda said: added(said) == 2)
            product.act()
            receiving.until(lambda said: added(said) == 3)
            listening.until(lambda said: answered(said) == 3)  # what wasn't answered before it ends comes again
    assert listening.process.returncode == 0
    assert "Stopped" in listening.said

    product.act()  # the listener isn't there
    with (
        program(tmp_path, "receiver", *receive, WEBHOOK_SECRET=secret[0], PORT=str(port)) as receiving,
        program(product.root, "listen", *listen) as listening,
    ):
        assert secret[0] in listening.until(lambda said: "Forwarding" in said)
        receiving.until(lambda said: added(said) == 1)
    bodies = (tmp_path / "received.jsonl").read_text().splitlines()
    sequences = [json.loads(body)["data"]["event"]["sequence"] for body in bodies]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 4
    assert "endpoint." not in listening.said
    assert (product.root / ".earnest" / "listen.json").stat().st_mode & 0o077 == 0


def test_listening_without_a_program_prints(product: Product) -> None:
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if "earnest listen" in line)
    assert line.startswith(".venv/bin/earnest listen --forward-to")
    earnest = str(Path(sys.executable).parent / "earnest")
    with program(product.root, "printing", earnest, "listen", "--as", "freelancer") as listening:
        listening.until(lambda said: "Check signatures" in said)
        product.act()
        listening.until(lambda said: "milestone.added" in said)
    assert listening.process.returncode == 0


def test_listening_needs_a_deployment_and_a_program_with_an_address(tmp_path: Path) -> None:
    earnest = str(Path(sys.executable).parent / "earnest")
    for arguments, complaint in [
        ((), "start Earnest here first"),
        (("--forward-to", "localhost"), "is no URL such as"),
        (("--url", "http://127.0.0.1:9", "--key", "ek_x"), "listening stopped"),
    ]:
        done = subprocess.run(
            [earnest, "listen", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode in (1, 2)
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / ".earnest").exists()
