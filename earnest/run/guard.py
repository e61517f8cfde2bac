"""Guards the connections of a web process: how many there may be, and how long and in how many words one may say what it wants.

A connection is one of a few kinds at any moment: its request's head comes, its body comes, it is answered, or it rests. Only an
answer may take its time. One look a second at all of them is cheaper than a timer for each. WebSockets stay counted, by what
is left of their connection, and are looked after by `api.live`, once they have said what they are.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.rates.pacing import Pacing
from api.responses import WHOLE
from earnest.run import whole
from escrow import meters

LOOK_SECONDS: Final = 1.0

HEAD_SECONDS: Final = 10.0
"""From the connection, or the first byte of a further request, to the end of the headers."""

BODY_SECONDS: Final = 30.0
"""From the end of the headers to the end of the body, the largest one on a slow line included."""

REST_SECONDS: Final = 65.0
"""Between two requests: longer than the 60 seconds of common proxies, so that it is they who end what rests."""

CLOSING_SECONDS: Final = 10.0
"""How long the last word may wait for a peer that doesn't read."""

HEAD_BYTES_MAX: Final = 64_000
"""A request's address and headers: proxies of the field let 8 to 64 kB through."""

HEADERS_MAX: Final = 200

PIPELINED_MAX: Final = 32
"""Requests that wait on one connection for the answer of the one before; hardly any client sends even two."""

PIECES_FREE: Final = 1_000
PIECE_BYTES_MEAN: Final = 64
"""A body may come in so many pieces of any size; more have to hold so much each, on the average: to read a piece takes as long,
however small it is."""

IPV6_NETWORK_BITS: Final = 64
"""Whoever has one IPv6 address has that many: the network counts as one."""

_REFUSED: Final = meters.Counter(
    "earnest_connections_refused",
    "Connections that were told 503, by the limit that they met: all, address",
    "limit",
)
for _limit in ("all", "address"):  # Prometheus counts a series from its second value on
    _REFUSED.add(_limit, by=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections there may be at once, and how long each may take (seconds)."""

    connections_max: int = 10_000
    per_address_max: int = 1_000
    head_seconds: float = HEAD_SECONDS
    body_seconds: float = BODY_SECONDS
    rest_seconds: float = REST_SECONDS
    closing_seconds: float = CLOSING_SECONDS
    look_seconds: float = LOOK_SECONDS


class Phase(Enum):
    """What a connection does at present."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    REST = auto()
    CLOSING = auto()


_HEAD, _BODY, _ANSWER, _REST, _CLOSING = Phase


class Counted(Protocol):
    """One connection, whatever is spoken there."""

    address: str

    def look(self, now: float) -> None:
        """Do what is due by the guard's clock."""


@dataclass(slots=True, eq=False)
class Guard:
    """The connections of one process."""

    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _present: set[Counted] = field(default_factory=set)
    _per_address: Counter[str] = field(default_factory=Counter)
    _watch: asyncio.TimerHandle | None = None
    pacing: Pacing = field(default_factory=Pacing)
    """When an address is told next that what it sent is no request."""
    is_stopping: bool = False
    """Whether each answer is the last one on its connection: this process stops, and another one has the next request."""

    def __len__(self) -> int:
        return len(self._present)

    def admit(self, connection: Counted) -> bool:
        """Count the connection, unless there are too many, in all or from its address."""
        if len(self._present) >= self.limits.connections_max:
            _REFUSED.add("all")
            return False
        if connection.address and self._per_address[connection.address] >= self.limits.per_address_max:
            _REFUSED.add("address")
            return False
        self._present.add(connection)
        self._per_address[connection.address] += 1
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(self.limits.look_seconds, self._look)
        return True

    def hand_over(self, connection: Counted, heir: Counted) -> None:
        """The connection is another's now, who counts in its place; nothing if it was never counted."""
        if connection in self._present:
            self._present.discard(connection)
            self._present.add(heir)

    def release(self, connection: Counted) -> None:
        """The connection has gone; nothing if it was never counted."""
        if connection in self._present:
            self._present.discard(connection)
            self._per_address[connection.address] -= 1
            if not self._per_address[connection.address]:
                del self._per_address[connection.address]

    def _look(self) -> None:
        now = self.clock()
        for connection in tuple(self._present):
            connection.look(now)
        again = bool(self._present)
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(self.limits.look_seconds, self._look) if again else None


@dataclass(slots=True, eq=False)
class Upgraded:
    """A connection that has become a WebSocket: as little as says whether it is still there."""

    guard: Guard
    transport: asyncio.Transport
    address: str

    def look(self, now: float) -> None:
        """The loop tells only its new protocol of the end."""
        if self.transport.is_closing():
            self.guard.release(self)


class _TooMuch(Exception):
    """The request is said in more words than anybody needs; raised into the parser, which then reads no further."""


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's connection, which is counted and doesn't wait for ever.

    What each request calls several times names the class above, and the phases by names of their own: `super()` and members of
    an enumeration take longer to find than all else takes that is done there.
    """

    guard: Guard
    """Of the process; `guarded` makes a class with it."""

    address = ""
    _phase = _HEAD
    _since = 0.0
    _is_whole = True
    """Whether all of the request that came last has come."""
    _is_in_head = False
    """Whether a request's head has begun to come and hasn't ended yet."""
    _unheard_bytes = 0
    """What came since the last whole request. Where that one ended, and a head began, in the middle of what came at once, the
    rest of it isn't counted: how much of it was the body before, the parser doesn't say."""
    _head_bytes = 0
    _pieces: list[bytes]
    """Of the body, read and not yet handed on."""
    _piece_count = 0
    _body_bytes = 0
    _refusal: bytes | None = None
    """What to answer instead of what the parser says; empty where an answer would stand in the middle of another."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._pieces = []
        self.address = _network(transport.get_extra_info("peername"))
        self._turn(_HEAD)
        if self.guard.admit(self):
            super().connection_made(transport)
        else:
            transport.write(_answer(b"503 Service Unavailable", b"Too many connections.\n", b"retry-after: 5\r\n"))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.release(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._phase is _REST:
            self._turn(_HEAD)
        self._unheard_bytes += len(data)
        HttpToolsProtocol.data_received(self, data)
        self._hand_on()
        if self._phase is _HEAD and not self._is_in_head and not self._is_whole:
            self._turn(_BODY)
        if self._is_in_head and self._unheard_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refusal = self._answer_to_head()  # one header without an end
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request, at the pace of refusals, and read no more meanwhile."""
        seconds = self.guard.pacing.seconds(self.address)
        self.transport.pause_reading()
        self._turn(_CLOSING)
        self.loop.call_later(max(seconds, 0), self._refuse_all, msg)

    def _refuse_all(self, msg: str) -> None:
        if self.transport.is_closing():
            return
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self.transport.write(self._refusal)
            self.transport.close()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            self._refuse(b"")
        self._is_whole = False
        self._is_in_head = True
        self._head_bytes = self._piece_count = self._body_bytes = 0
        HttpToolsProtocol.on_message_begin(self)
        self.scope["extensions"] = _EXTENSIONS

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(self._answer_to_head())
        HttpToolsProtocol.on_url(self, url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES_MAX or len(self.headers) >= HEADERS_MAX:
            self._refuse(self._answer_to_head())
        HttpToolsProtocol.on_header(self, name, value)

    def on_body(self, body: bytes) -> None:
        self._piece_count += 1
        self._body_bytes += len(body)
        if self._piece_count > PIECES_FREE + self._body_bytes // PIECE_BYTES_MEAN:
            cycle = self._last()
            is_answered = bool(self.pipeline) or (cycle is not None and cycle.response_started)
            self._refuse(b"" if is_answered else _TOO_SMALL)
        self._pieces.append(body)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        HttpToolsProtocol.on_headers_complete(self)
        if self.guard.is_stopping:
            self.say_goodbye()

    def say_goodbye(self) -> None:
        """Let the answer under way, if there is one, tell the client that no other comes on this connection."""
        cycle = self._last()
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Hang up, unless a request has come, in part or whole: that one is still answered."""
        if self._phase in (_HEAD, _REST) and not self._is_in_head:
            self.transport.close()
        else:
            self.say_goodbye()

    def on_message_complete(self) -> None:
        self._hand_on()
        self._is_whole = True
        self._unheard_bytes = 0
        if self._phase in (_HEAD, _BODY):
            self._turn(_ANSWER)
        HttpToolsProtocol.on_message_complete(self)
        self._rest_if_done()

    def on_response_complete(self) -> None:
        self._go_on()
        if not self._is_whole and self._phase is _ANSWER:
            self._turn(_BODY)  # of a further request, which has begun to come meanwhile
        self._rest_if_done()

    def _go_on(self) -> None:
        """What uvicorn does after an answer, but for a timer for each rest: the guard ends those that last too long."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # What read the request would live as long as the socket, and take a tenth of its memory.
        self.guard.hand_over(self, Upgraded(self.guard, self.transport, self.address))
        self.parser = None  # type: ignore[assignment]  # it knows this protocol, which must not wait for the garbage collector

    def look(self, now: float) -> None:
        """End the connection if what it does has taken too long."""
        limits = self.guard.limits
        if self.transport.is_closing() and self._phase is not _CLOSING:
            self._turn(_CLOSING)
        seconds = {
            _HEAD: limits.head_seconds,
            _BODY: limits.body_seconds,
            _REST: limits.rest_seconds,
            _CLOSING: limits.closing_seconds,
        }.get(self._phase)
        if seconds is None or now - self._since <= seconds:
            return
        if self._phase is _CLOSING:
            self.transport.abort()
        else:
            self._end()

    def _end(self) -> None:
        """Say why, if a request has begun and nobody has answered it yet, and hang up."""
        cycle = self._last()
        has_answer = cycle is not None and cycle.response_started
        if not self._is_whole and not (self._phase is _BODY and has_answer):
            self.transport.write(_answer(b"408 Request Timeout", b"The request took too long to come.\n"))
        self._turn(_CLOSING)
        self.transport.close()

    def _rest_if_done(self) -> None:
        cycle = self._last()
        if self._is_whole and self._phase is _ANSWER and cycle is not None and cycle.response_complete:
            self._turn(_REST)

    def _hand_on(self) -> None:
        """Hand on what came of the body, at once: uvicorn would copy all of it for each piece."""
        if self._pieces:
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces = []
            HttpToolsProtocol.on_body(self, body)

    def _refuse(self, answer: bytes) -> None:
        self._refusal = answer
        raise _TooMuch

    def _answer_to_head(self) -> bytes:
        """What a head is told that is too long; nothing while another answer is under way."""
        cycle = self._last()
        return _TOO_LONG if cycle is None or cycle.response_complete else b""

    def _last(self) -> RequestResponseCycle | None:
        """The request that came last, with its answer; uvicorn has none before the first."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _turn(self, phase: Phase) -> None:
        self._phase, self._since = phase, self.guard.clock()


def guarded(guard: Guard) -> type[GuardedConnection]:
    """The class of a process's connections."""
    return type("GuardedConnection", (GuardedConnection,), {"guard": guard})


def _network(peer: object) -> str:
    """What counts as one caller: an IPv4 address, an IPv6 network; nothing for a socket of this machine's own."""
    if not isinstance(peer, tuple) or not peer:
        return ""
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)


def _answer(status: bytes, said: bytes, headers: bytes = b"") -> bytes:
    length = str(len(said)).encode()
    kind = b"content-type: text/plain; charset=utf-8\r\n"
    return b"HTTP/1.1 %b\r\n%b%bcontent-length: %b\r\nconnection: close\r\n\r\n%b" % (
        status,
        kind,
        headers,
        length,
        said,
    )


_EXTENSIONS: Final[dict[str, dict[object, object]]] = {WHOLE: cast("dict[object, object]", whole.answer)}
_TOO_LONG: Final = _answer(
    b"431 Request Header Fields Too Large",
    b"The address and the headers may have %d bytes, and %d headers.\n" % (HEAD_BYTES_MAX, HEADERS_MAX),
)
_TOO_SMALL: Final = _answer(b"400 Bad Request", b"The body came in too many small pieces.\n")
