"""Speaks the WebSocket protocol (RFC 6455) with one client, as uvicorn's part for it, and ASGI with the application.

The library `websockets` reads handshake and frames, checks them and answers pings; messages of the application are framed here,
in one piece and from bytes that are there already. A connection keeps no more than it needs to go on: a server that is
subscribed to by thousands is made of these.

What has come is read a slice at a time (`api.live.slices`), and no further than to a message that the application didn't take.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

from starlette.types import Message, Scope
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol

from api.live.slices import SLICE_BYTES, of_this_loop

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

ENCODED: Final = "earnest.encoded"
"""The extension of the scope by which `websocket.send` takes `encoded`: text as UTF-8, in parts. Its `at_once` is a function that
takes the same, and sends it if nothing has to be waited for; it answers whether that was so."""

CLOSE_SECONDS: Final = 10.0
"""How long the other side may take to answer a close frame."""

IDLE_AT_ONCE_MAX: Final = 40
IDLE_PER_SECOND: Final = 10.0
"""Frames in which nothing is said: pings and pongs of the protocol, and small fragments. Whoever sends more is hung up on."""

HANG_UP_SECONDS: Final = 1.0
"""How long whoever is hung up on waits for it, unheard: told at once, it would come back at once."""

FRAGMENT_BYTES: Final = 1_024
"""A fragment that isn't the last counts as nothing if it holds less."""

_TEXT: Final = 0x81
"""The first byte of a text message in one frame."""

SHARED_PARTS: Final = 3
"""So many parts has a message that others may get, too: the answer, what stands before it, and what stands behind it."""

_NOTHING: Final = memoryview(b"")

_MEDIUM: Final = struct.Struct(">BBH").pack
_LONG: Final = struct.Struct(">BBQ").pack

_log = logging.getLogger(__name__)


class Gone(OSError):
    """The client is not there any more: nothing can be sent."""


class Wire(asyncio.Protocol):
    """One connection, from the request that asks for it to its end."""

    __slots__ = (
        "_close_timer",
        "_config",
        "_fragments",
        "_handshake",
        "_idle_until",
        "_is_cut",
        "_is_gone",
        "_is_held",
        "_is_paused",
        "_is_text",
        "_received",
        "_receiver",
        "_response",
        "_server",
        "_state",
        "_unread",
        "_wire",
        "_writable",
        "transport",
    )  # fmt: skip

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._config = config
        self._server = server_state
        self._state = app_state
        self._handshake: ServerProtocol | None = ServerProtocol(max_size=config.ws_max_size)
        self._wire: Protocol = self._handshake
        self._response: Response | None = None
        self.transport: asyncio.Transport
        self._received: list[Message] = []
        self._receiver: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._unread = _NOTHING
        self._idle_until = -math.inf
        self._fragments: list[bytes] = []
        self._is_text = False
        self._is_held = False
        self._is_paused = False
        self._is_cut = False
        self._is_gone = False
        self._close_timer: asyncio.TimerHandle | None = None

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own classes only

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._is_gone = True
        self._unread = _NOTHING
        self._put({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self.resume_writing()
        self._forget_timer()

    def data_received(self, data: bytes) -> None:
        if self._handshake is not None and not self._is_held:
            self._read(data)
            return
        self._unread = memoryview(self._unread.tobytes() + data if self._unread else data)
        if len(self._unread) > SLICE_BYTES:
            self._pause_or_resume()
        self._read_on()

    def _read_on(self) -> None:
        """Have read what has come, unless the application has to take something first."""
        if self.has_more:
            of_this_loop().join(self)

    @property
    def has_more(self) -> bool:
        """Whether there is something to read that may be read now."""
        return bool(self._unread) and not self._is_held and not self._is_cut

    def read_slice(self) -> int:
        """Read up to `SLICE_BYTES`; how many frames ended in them."""
        now, self._unread = self._unread[:SLICE_BYTES], self._unread[SLICE_BYTES:] or _NOTHING
        frames = self._read(now)
        self._pause_or_resume()
        return frames

    def _read(self, data: bytes | memoryview) -> int:
        self._wire.receive_data(data)  # type: ignore[arg-type]  # it only adds to its own buffer, which takes any bytes
        events = self._wire.events_received()
        for event in events:
            if isinstance(event, Request):
                self._connect(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()
        if self._wire.parser_exc is not None:  # it was told why by now
            self._put({"type": "websocket.disconnect", "code": CloseCode.PROTOCOL_ERROR})
            self.transport.close()
        return len(events)

    def pause_writing(self) -> None:
        self._writable = self._writable or asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def shutdown(self) -> None:
        """The server stops, and the connection with it."""
        self._forget_timer()
        if self._handshake is not None:
            self._refuse(500)
        elif self._wire.state is State.OPEN:
            self._wire.send_close(CloseCode.SERVICE_RESTART)
            self._flush()
            self._put({"type": "websocket.disconnect", "code": CloseCode.SERVICE_RESTART})
        self.transport.close()

    # What the application does

    async def receive(self) -> Message:
        """The next message; nothing more is read from the client until it was asked for."""
        while not self._received:
            self._receiver = asyncio.get_running_loop().create_future()
            await self._receiver
        message = self._received.pop(0)
        if not self._received:
            self._hold(on=False)
        return message

    async def send(self, message: Message) -> None:
        """Send it as soon as the client takes it. Raises `Gone`."""
        while self._writable is not None:
            await asyncio.shield(self._writable)
        if self._is_gone:
            raise Gone
        if message["type"] == "websocket.send":
            self._say(message)
        elif message["type"] == "websocket.accept":
            self._accept(message)
        elif message["type"] == "websocket.close":
            self._close(message)
        else:
            raise RuntimeError(f"a WebSocket has no {message['type']}")

    def send_at_once(self, encoded: Sequence[bytes]) -> bool:
        """Send a text message, in parts that are UTF-8, unless it has to wait, or can't be sent any more."""
        if self._writable is not None or self._is_gone or self._wire.state is not State.OPEN:
            return False
        self.transport.write(shared_frame(*encoded) if len(encoded) == SHARED_PARTS else text_frame(encoded))
        return True

    def _say(self, message: Message) -> None:
        if self._wire.state is not State.OPEN:
            raise Gone
        encoded = message.get("encoded") or (message["text"].encode(),)
        self.transport.write(text_frame(encoded))

    def _accept(self, message: Message) -> None:
        handshake, response = self._handshake, self._response
        if handshake is None or response is None:
            raise RuntimeError("a WebSocket is accepted once")
        del response.headers["Date"]
        for name, value in (*self._server.default_headers, *message.get("headers", ())):
            response.headers[name.decode("latin-1")] = value.decode("latin-1")
        if message.get("subprotocol"):
            response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        handshake.send_response(response)
        self._flush()
        # What read the handshake would keep all headers; the rest of the conversation needs none.
        self._wire = Protocol(Side.SERVER, max_size=self._config.ws_max_size)
        self._handshake = self._response = None
        self._hold(on=False)

    def _close(self, message: Message) -> None:
        if self._handshake is not None:
            self._refuse(403)
            return
        if self._wire.state is not State.OPEN:
            raise Gone
        self._wire.send_close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
        self._flush()
        self._put({"type": "websocket.disconnect", "code": message.get("code", CloseCode.NORMAL_CLOSURE)})
        self._hold(on=False)
        self._close_timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.transport.close)

    # What the client says

    def _connect(self, request: Request) -> None:
        handshake = cast("ServerProtocol", self._handshake)
        self._response = response = handshake.accept(request)
        if response.status_code != 101:
            handshake.send_response(response)
            self._flush()
            self.transport.close()
            return
        self._hold(on=True)  # it has nothing to say before it was accepted
        self._received.append({"type": "websocket.connect"})
        task = asyncio.get_running_loop().create_task(self._run(self._scope(request)))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _take(self, frame: Frame) -> None:
        if self._is_cut:
            return
        if self._says_nothing(frame) and not self._may_idle():
            self._cut_off()
        elif frame.opcode is Opcode.CLOSE:
            self._take_leave()
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and self._close_timer is None:
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                self._take_message(b"".join(self._fragments))
                self._fragments = []

    def _take_message(self, data: bytes) -> None:
        try:
            said = {"text": data.decode()} if self._is_text else {"bytes": data}
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
            return
        self._put({"type": "websocket.receive", **said})
        self._hold(on=True)

    def _says_nothing(self, frame: Frame) -> bool:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return True
        return frame.opcode is not Opcode.CLOSE and not frame.fin and len(frame.data) < FRAGMENT_BYTES

    def _may_idle(self) -> bool:
        """Whether one more such frame may come."""
        now = time.monotonic()
        self._idle_until = max(self._idle_until, now - IDLE_AT_ONCE_MAX / IDLE_PER_SECOND) + 1 / IDLE_PER_SECOND
        return self._idle_until <= now

    def _cut_off(self) -> None:
        """Hear nothing more, and hang up by and by."""
        self._is_cut = True
        self._unread = _NOTHING
        self._pause_or_resume()
        said = "Too many frames that say nothing."
        asyncio.get_running_loop().call_later(HANG_UP_SECONDS, self._fail, CloseCode.POLICY_VIOLATION, said)

    def _fail(self, code: CloseCode, reason: str = "") -> None:
        """End the connection for a fault of the client's."""
        if self._is_gone or self.transport.is_closing():
            return
        self._wire.fail(code, reason)
        self._put({"type": "websocket.disconnect", "code": code})
        self._unread = _NOTHING
        self._flush()
        self.transport.close()

    def _take_leave(self) -> None:
        """The client closes, or answers that we did."""
        self._flush()
        if self._close_timer is None:
            self._put({"type": "websocket.disconnect", "code": self._wire.close_rcvd and self._wire.close_rcvd.code})
        self._forget_timer()
        self.transport.close()

    # And what follows from it

    async def _run(self, scope: Scope) -> None:
        try:
            await self._config.loaded_app(scope, self.receive, self.send)
        except Gone:
            return
        except Exception:  # noqa: BLE001 - the last resort: the client is let go, the log has the rest
            _log.exception("a WebSocket failed")
        finally:
            if self._handshake is not None:
                self._refuse(500)
            elif self._close_timer is None:
                self.transport.close()

    def _scope(self, request: Request) -> Scope:
        path, _, query = request.path.partition("?")
        root = self._config.root_path
        peer, here = (self.transport.get_extra_info(name) for name in ("peername", "sockname"))
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if self.transport.get_extra_info("sslcontext") else "ws",
            "server": here[:2] if isinstance(here, tuple) else None,
            "client": peer[:2] if isinstance(peer, tuple) else None,
            "root_path": root,
            "path": root + unquote(path),
            "raw_path": (root + path).encode("ascii"),
            "query_string": query.encode("ascii"),
            "headers": [
                (name.lower().encode("ascii"), value.encode("ascii", "surrogateescape"))
                for name, value in request.headers.raw_items()
            ],
            "subprotocols": [
                one.strip() for header in request.headers.get_all("Sec-WebSocket-Protocol") for one in header.split(",")
            ],
            "state": self._state.copy(),
            "extensions": {ENCODED: {"at_once": self.send_at_once}},
        }

    def _refuse(self, status: int) -> None:
        """No WebSocket comes of the request."""
        if self._handshake is not None and not self.transport.is_closing():
            self._handshake.send_response(self._handshake.reject(status, ""))
            self._flush()
            self.transport.close()

    def _put(self, message: Message) -> None:
        self._received.append(message)
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _hold(self, *, on: bool) -> None:
        """Read nothing from the client for now, or read on."""
        if on is self._is_held or self.transport.is_closing():
            return
        self._is_held = on
        self._read_on()
        self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        """Take more off the network once all that has come was read."""
        is_full = self._is_held or self._is_cut or bool(self._unread)
        if is_full is self._is_paused or self.transport.is_closing():
            return
        self._is_paused = is_full
        if is_full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _flush(self) -> None:
        """Send what the library has to say; an empty piece means that it says no more."""
        said = b"".join(self._wire.data_to_send())
        if said and not self.transport.is_closing():
            self.transport.write(said)

    def _forget_timer(self) -> None:
        timer, self._close_timer = self._close_timer, None
        if timer is not None:
            timer.cancel()


@lru_cache(maxsize=1)
def shared_frame(start: bytes, shared: bytes, end: bytes) -> bytes:
    """The frame of a message that goes to many, one after the other, most of them under the same name: made once."""
    return text_frame((start, shared, end))


def text_frame(parts: Sequence[bytes]) -> bytes:
    """A text message in one frame, as a server sends it."""
    text = b"".join(parts)
    length = len(text)
    if length < 126:
        return bytes((_TEXT, length)) + text
    if length < 1 << 16:
        return _MEDIUM(_TEXT, 126, length) + text
    return _LONG(_TEXT, 127, length) + text
