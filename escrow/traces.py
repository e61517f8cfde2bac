"""Says which trace the present work belongs to, and carries it by W3C's `traceparent` and `tracestate` from process to process.

A request brings a trace or begins one; its events and orders keep it in their rows, so that the worker, the payment provider and
the webhook go on with it. Who records spans is not known here: `escrow.spans` says when the present one is another.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar, Token
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
"""The headers, in both directions."""

STATE_CHARACTERS_MAX: Final = 512
STATE_MEMBERS_MAX: Final = 32
STATE_MEMBER_CHARACTERS_MAX: Final = 128
"""Of what is too long as a whole, members beyond this go first."""

SAMPLED: Final = "01"
"""The flags of a trace that began here: its lines are in our log, whoever else records it."""

_TEXT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER: Final = re.compile(
    r"[a-z0-9][a-z0-9_\-*/]{0,240}(?:@[a-z][a-z0-9_\-*/]{0,13})?=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
_NO_VERSION: Final = "ff"
_VERSION: Final = "00"


class Trace(NamedTuple):
    """A place in a trace: below which span whatever is done now belongs."""

    id: str
    """32 hexadecimal digits."""
    span: str
    """16 hexadecimal digits: the caller's span or ours; before the first one a number that nobody has recorded."""
    flags: str = SAMPLED
    request_id: str | None = None
    """What the client calls its request, if it said so by `x-request-id`. It stays in our own lines and rows."""
    is_new: bool = False
    """Whether it began here and has no span yet."""
    state: str | None = None
    """What those who record it keep beside it, each for itself: a `tracestate` that is none of our business."""

    def headers(self) -> dict[str, str]:
        """What goes out with a request."""
        parent = {TRACEPARENT: self.header()}
        return parent if self.state is None else parent | {TRACESTATE: self.state}

    def header(self) -> str:
        """The value of a `traceparent` that goes out."""
        return f"{_VERSION}-{self.id}-{self.span}-{self.flags}"

    def kept(self) -> str:
        """The same with the client's name of the request and the state, as it lies beside events and orders; read by `read`."""
        state = "" if self.state is None else f"\t{self.state}"
        return f"{self.header()} {self.request_id or ''}{state}" if self.request_id or state else self.header()


def new(request_id: str | None = None) -> Trace:
    """A trace that begins here."""
    random = os.urandom(24).hex()
    return Trace(random[:32], random[32:], SAMPLED, request_id, True)


def read(text: str | None) -> Trace | None:
    """The trace of a `traceparent`, or of what `Trace.kept` answered; `None` for anything else."""
    if not text:
        return None
    header, _, beside = text.partition(" ")
    request_id, _, state = beside.partition("\t")
    found = _TEXT.fullmatch(header)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    is_valid = version != _NO_VERSION and trace.strip("0") and span.strip("0") and (version != _VERSION or not more)
    return Trace(trace, span, flags, request_id or None, state=state or None) if is_valid else None


def given(parent: str | None, state: str | None) -> Trace | None:
    """The trace of a caller's `traceparent` and `tracestate`; `None` without a valid parent. A state that is none is left out."""
    trace = read(parent.partition(" ")[0]) if parent else None
    return trace._replace(state=_readable(state)) if trace is not None and state else trace


def _readable(state: str) -> str | None:
    """A `tracestate` as it goes on: all of it if it is valid, without its longest or last members if it is too long."""
    members = [member for one in state.split(",") if (member := one.strip(" \t"))]
    names = {member.partition("=")[0] for member in members}
    if len(names) < len(members) or len(members) > STATE_MEMBERS_MAX or not all(map(_MEMBER.fullmatch, members)):
        return None
    if len(",".join(members)) > STATE_CHARACTERS_MAX:
        members = [member for member in members if len(member) <= STATE_MEMBER_CHARACTERS_MAX]
    while len(",".join(members)) > STATE_CHARACTERS_MAX:
        members.pop()
    return ",".join(members) or None


PROCESS: Final = new()
"""What belongs to no request and no piece of work belongs to its process."""

_current: Final[ContextVar[Trace]] = ContextVar("trace", default=PROCESS)


def current() -> Trace:
    """Where the present work belongs."""
    return _current.get()


def trace_id() -> str:
    """The trace of the present request or piece of work, or else that of the process."""
    return _current.get().id


def kept() -> str:
    """The present trace, as rows keep it."""
    return _current.get().kept()


def begin(trace: Trace | None = None) -> None:
    """Let what the current task does from here on belong to this trace, or to a new one."""
    _current.set(trace or new())


def enter(trace: Trace) -> Token[Trace]:
    """The same until `leave` is told what this answers."""
    return _current.set(trace)


def leave(entered: Token[Trace]) -> None:
    """Go on in the trace of before."""
    _current.reset(entered)
