"""WebSockets frame by frame: what a client may send, what it gets for what it may not, and how either side ends it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from api.app import create_app
from api.live.slices import FRAMES_PER_TURN, SLICE_BYTES, Slices
from api.live.wire import ENCODED, Wire, shared_frame, text_frame
from escrow.settings import PaymentProvider, Settings
from tests.api.live.serving import until
from tests.api.live.socket import PROTOCOL, Socket
from tests.factories import SECRET_KEY
from tests.written import written

BYTES_MAX = 1_000


@dataclass
class Echo:
    """An application that says what it hears, and remembers all that it was told."""

    heard: list[Message] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    may_hear: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_hear.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "headers": [(b"x-said", b"hello")]})
        while True:
            await self.may_hear.wait()
            message = await receive()
            self.heard.append(message)
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text == "fail":
                raise ValueError("asked for")
            if text == "close":
                await send({"type": "websocket.close", "code": 4321, "reason": "asked for"})
                return
            if text is not None:
                await send({"type": "websocket.send", "encoded": (b"<", text.encode(), b">")})


@dataclass
class Client:
    """One that sends whatever bytes a test wants sent, and reads frames by the library's rules."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: ClientProtocol
    response: Response | None = None
    frames: list[Frame] = field(default_factory=list)

    async def _read(self) -> bool:
        async with asyncio.timeout(60):
            data = await self.reader.read(65_536)
        if not data:
            return False
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif isinstance(event, Frame):
                self.frames.append(event)
        return True

    def flush(self) -> None:
        self.writer.write(b"".join(self.protocol.data_to_send()))

    def say(self, text: str) -> None:
        self.protocol.send_text(text.encode())

    async def hear(self) -> Frame:
        self.flush()
        while not self.frames:
            assert await self._read(), "it is closed"
        return self.frames.pop(0)

    async def text(self) -> str:
        frame = await self.hear()
        assert frame.opcode is Opcode.TEXT
        return bytes(frame.data).decode()

    async def closed(self) -> int | None:
        """The code that it was closed with, once the connection is down."""
        self.flush()
        while await self._read():
            pass
        return self.protocol.close_rcvd.code if self.protocol.close_rcvd is not None else None


@asynccontextmanager
async def serving(app: ASGIApp, *, ws: Any = Wire) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    config = uvicorn.Config(app, port=0, ws=ws, ws_max_size=BYTES_MAX, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        await until(lambda: server.started)
        yield server, bound.getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def client(port: int, **headers: str) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/some%20path?q=1"))
    request = protocol.connect()
    for name, value in headers.items():
        request.headers[name] = value
    protocol.send_request(request)
    one = Client(reader, writer, protocol)
    one.flush()
    while one.response is None:
        assert await one._read()
    try:
        yield one
    finally:
        writer.close()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_text_of_any_length_is_one_frame_of_the_protocol(length: int) -> None:
    text = b"x" * length
    frame = Frame(Opcode.TEXT, text)
    assert text_frame((text[:3], text[3:])) == frame.serialize(mask=False)


def test_what_many_get_is_framed_once() -> None:
    start, answer = b'{"id":"1","payload":', b'{"data":null}'
    assert shared_frame(start, answer, b"}") is shared_frame(bytes(bytearray(start)), answer, b"}")
    assert shared_frame(b'{"id":"2","payload":', answer, b"}") == text_frame((b'{"id":"2","payload":', answer, b"}"))


async def test_texts_come_back_in_order_however_they_were_cut() -> None:
    app = Echo()
    async with serving(app) as (_, port), client(port, **{"X-Given": "é"}) as one:
        assert one.response is not None
        assert one.response.headers["x-said"] == "hello"
        for text in ("one", "two", "zażółć"):
            one.say(text)
        one.protocol.send_text(b"thr", fin=False)
        one.protocol.send_ping(b"in between")
        one.protocol.send_continuation(b"ee", fin=True)
        said = b"".join(one.protocol.data_to_send())
        for byte in said:  # as if each byte travelled alone
            one.writer.write(bytes([byte]))
            await one.writer.drain()
        heard = [await one.hear() for _ in range(5)]
        pong = [frame for frame in heard if frame.opcode is Opcode.PONG]
        assert [bytes(frame.data) for frame in pong] == [b"in between"]
        texts = [bytes(frame.data).decode() for frame in heard if frame.opcode is Opcode.TEXT]
        assert texts == ["<one>", "<two>", "<zażółć>", "<three>"]
    (scope,) = app.scopes
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/some path", b"/some%20path", b"q=1")
    assert (b"host", f"127.0.0.1:{port}".encode()) in scope["headers"]
    assert (b"x-given", "é".encode()) in scope["headers"]
    assert ENCODED in scope["extensions"]
    assert scope["client"][0] == "127.0.0.1"


async def test_bytes_reach_the_application_as_bytes() -> None:
    app = Echo()
    async with serving(app) as (_, port), client(port) as one:
        one.protocol.send_binary(b"\xff\x00")
        one.say("then text")
        assert await one.text() == "<then text>"
    assert app.heard[0] == {"type": "websocket.receive", "bytes": b"\xff\x00"}


async def test_nothing_is_read_from_a_client_that_the_application_does_not_hear() -> None:
    """Messages wait in the client and the kernel, not in this process."""
    app = Echo()
    app.may_hear.clear()
    async with serving(app) as (server, port), client(port) as one:
        for number in range(3_000):
            one.protocol.send_text(b"%0500d" % number)
        one.flush()
        (wire,) = [found for found in server.server_state.connections if isinstance(found, Wire)]
        await until(lambda: wire._is_held and wire._received)
        assert len(wire._received) < 1_000
        app.may_hear.set()
        for number in range(3_000):
            assert await one.text() == f"<{number:0500d}>"


IDLE = {
    "pings": Frame(Opcode.PING, b"").serialize(mask=True),
    "pongs": Frame(Opcode.PONG, b"").serialize(mask=True),
    "fragments of nothing": Frame(Opcode.CONT, b"", fin=False).serialize(mask=True),
    "fragments of a letter": Frame(Opcode.CONT, b"x", fin=False).serialize(mask=True),
}

BEGUN = Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True)


FRAGMENTS = (IDLE["fragments of nothing"], IDLE["fragments of a letter"])

FLOODS = {
    **IDLE,
    "empty messages": Frame(Opcode.TEXT, b"").serialize(mask=True),
    "messages in bytes": Frame(Opcode.BINARY, b"").serialize(mask=True),
    "messages": Frame(Opcode.TEXT, b"1").serialize(mask=True),
}

EMPTY_FRAME_BYTES = 6


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_thousands_of_frames_of_many_connections_are_read_a_few_in_each_turn_of_the_loop(
    flood: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many connections send them: what one may have read in a turn is read of all of them together."""
    monkeypatch.setattr("api.live.wire.IDLE_AT_ONCE_MAX", 1_000_000)
    app, in_this_turn, read = Echo(), 0, Wire.read_slice
    in_turns: list[int] = []
    turn = Slices._turn

    def reading(wire: Wire) -> int:
        nonlocal in_this_turn
        frames = read(wire)
        in_this_turn += frames
        return frames

    def turning(slices: Slices) -> None:
        nonlocal in_this_turn
        in_this_turn = 0
        turn(slices)
        in_turns.append(in_this_turn)

    monkeypatch.setattr(Wire, "read_slice", reading)
    monkeypatch.setattr(Slices, "_turn", turning)
    async with serving(app) as (_, port), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client(port)) for _ in range(10)]
        for one in clients:
            one.writer.write(BEGUN * (flood in FRAGMENTS) + flood * 1_000)
        await until(lambda: sum(in_turns) >= 10_000)
    assert max(in_turns) <= FRAMES_PER_TURN + SLICE_BYTES // EMPTY_FRAME_BYTES
    assert len(app.scopes) == 10


@pytest.mark.parametrize("idle", IDLE.values(), ids=IDLE)
async def test_whoever_says_nothing_again_and_again_is_hung_up_on(idle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.wire.IDLE_PER_SECOND", 1e-9)  # none comes back, however long the machine has been up
    monkeypatch.setattr("api.live.wire.IDLE_AT_ONCE_MAX", 20)
    monkeypatch.setattr("api.live.wire.HANG_UP_SECONDS", 0.01)
    app = Echo()
    async with serving(app) as (_, port), client(port) as one:
        one.writer.write(BEGUN + 18 * idle + Frame(Opcode.CONT, b"!").serialize(mask=True))
        while (frame := await one.hear()).opcode is Opcode.PONG:
            pass
        assert bytes(frame.data).endswith(b"!>")
        one.writer.write(BEGUN + 18 * idle)
        assert await one.closed() == 1008
        await until(lambda: app.heard[-1]["type"] == "websocket.disconnect")


async def test_who_is_hung_up_on_waits_for_it_unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.wire.HANG_UP_SECONDS", 3_600)
    app = Echo()
    async with serving(app) as (server, port), client(port) as one:
        one.writer.write(IDLE["pings"] * 10_000)
        (wire,) = [found for found in server.server_state.connections if isinstance(found, Wire)]
        await until(lambda: wire._is_cut)
        one.say("unheard")
        one.flush()
        async with client(port) as other:  # whoever speaks later is heard
            other.say("heard")
            assert await other.text() == "<heard>"
        assert not wire.transport.is_reading()
        assert not wire.transport.is_closing()
        assert not wire.has_more
    assert [message.get("text") for message in app.heard if "text" in message] == ["heard"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"x" * (BYTES_MAX + 1)).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"x").serialize(mask=False), 1002),
        (Frame(Opcode.CONT, b"x").serialize(mask=True), 1002),
        (b"\xf3\x80\0\0\0\0", 1002),
    ],
    ids=["not UTF-8", "too long", "not masked", "goes on with nothing", "a frame of no known kind"],
)
async def test_what_the_protocol_does_not_allow_closes_the_socket_with_its_code(sent: bytes, code: int) -> None:
    app = Echo()
    async with serving(app) as (_, port), client(port) as one:
        one.say("before")
        assert await one.text() == "<before>"
        one.writer.write(sent)
        assert await one.closed() == code
        await until(lambda: app.heard[-1]["type"] == "websocket.disconnect")


async def test_what_was_said_before_a_goodbye_is_heard_and_the_goodbye_is_answered() -> None:
    app = Echo()
    async with serving(app) as (_, port), client(port) as one:
        one.say("last")
        one.protocol.send_close(1000, "bye")
        assert await one.closed() == 1000
        await until(lambda: app.heard)
    assert app.heard[0]["text"] == "last"


async def test_the_application_is_told_with_which_code_the_client_closed() -> None:
    app = Echo()
    async with serving(app) as (_, port), client(port) as one:
        one.protocol.send_close(1001)
        assert await one.closed() == 1001
        await until(lambda: app.heard)
    assert app.heard == [{"type": "websocket.disconnect", "code": 1001}]


async def test_the_application_closes_with_its_code_and_what_comes_then_is_not_heard() -> None:
    app = Echo()
    async with serving(app) as (server, port), client(port) as one:
        one.say("close")
        one.flush()
        frame = await one.hear()
        assert frame.opcode is Opcode.CLOSE
        assert await one.closed() == 4321
        await until(lambda: not server.server_state.connections)
    assert [message.get("text") for message in app.heard] == ["close"]


async def test_a_client_that_does_not_answer_a_goodbye_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.wire.CLOSE_SECONDS", 0.05)
    async with serving(Echo()) as (server, port), client(port) as one:
        one.say("close")
        one.flush()
        await until(lambda: not server.server_state.connections)


async def test_an_application_that_fails_lets_the_client_go_and_says_why_in_the_log() -> None:
    with written() as log:
        async with serving(Echo()) as (_, port), client(port) as one:
            one.say("fail")
            assert await one.closed() is None
    (entry,) = [entry for entry in log.entries if entry["level"] == "error"]
    assert (entry["logger"], entry["event"]) == ("api.live.wire", "a WebSocket failed")


@pytest.mark.parametrize(("answer", "status"), [("close", 403), ("return", 500), ("raise", 500)])
async def test_what_is_not_accepted_is_answered_as_a_request(answer: str, status: int) -> None:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if answer == "close":
            await send({"type": "websocket.close"})
        if answer == "raise":
            raise ValueError("asked for")

    async with serving(app) as (_, port), client(port) as one:
        assert one.response is not None
        assert one.response.status_code == status


async def test_a_request_that_is_no_handshake_is_refused() -> None:
    async with serving(Echo()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_a_client_that_vanishes_ends_what_is_being_sent_to_it() -> None:
    failed: list[BaseException] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 100_000})
        except OSError as error:
            failed.append(error)
            raise

    async with serving(app) as (server, port), client(port) as one:
        (wire,) = [found for found in server.server_state.connections if isinstance(found, Wire)]
        await until(lambda: wire._writable is not None)  # the client doesn't read
        transport: Any = one.writer.transport
        transport.abort()
        await until(lambda: failed)
        await until(lambda: not server.server_state.connections)


async def test_a_server_that_stops_says_so_to_whoever_is_left() -> None:
    app = Echo()
    async with serving(app) as (server, port), client(port) as one:
        server.should_exit = True
        assert await one.closed() == 1012
        await until(lambda: app.heard and app.heard[-1]["type"] == "websocket.disconnect")


@pytest.mark.parametrize("ws", [Wire, "websockets-sansio"])
async def test_the_application_is_served_by_the_servers_own_websockets_too(ws: Any) -> None:
    settings = Settings(
        database_url="", redis_url="", secret_keys=(SECRET_KEY,), payment_provider=PaymentProvider.SANDBOX
    )
    async with (
        serving(create_app(settings), ws=ws) as (_, port),
        connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[PROTOCOL]) as connection,
    ):
        socket = Socket(connection)
        await socket.init(None)
        await socket.subscribe("{ __typename }")
        assert await socket.data() == {"__typename": "Query"}
