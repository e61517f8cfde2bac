"""Writes an answer in one piece, for who has all of it: uvicorn takes it in two messages, and looks at each header by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

NULL: Final = 0


def answer(
    send: Callable[..., Awaitable[None]], status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> bool:
    """Answer the request that uvicorn's `send` is for, which isn't `HEAD`. One of the headers is `content-length`, none is
    `connection`.

    Answers whether it was written. If not, `send` has to do it: somebody stands between, the client reads too slowly, or a
    header isn't one.
    """
    cycle = getattr(send, "__self__", None)  # of whom it is a method: kept anywhere else, each request would be garbage
    if not isinstance(cycle, RequestResponseCycle):
        return False
    if cycle.response_started or cycle.flow.write_paused:
        return False
    if cycle.disconnected:
        return True
    given = [*cycle.default_headers, *headers]
    pieces: list[bytes] = []
    for name, value in given:
        pieces += name, b": ", value, b"\r\n"
    head = b"".join(pieces)
    if head.count(b"\n") != len(given) or head.count(b"\r") != len(given) or NULL in head:
        return False
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join((STATUS_LINE[status], head, end, body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
