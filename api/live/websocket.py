"""Serves `/graphql` as a WebSocket by the sub-protocol `graphql-transport-ws`, on bare ASGI messages and `api.live.wire`.

One task reads what the client says; each operation is a task of its own, which sleeps while answers of its stream go out without
it. Whoever wants the connection to end says so with a `Closing`; the reading task then ends the operations and closes the socket.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from websockets.frames import CloseCode

from api.arrivals import address_of
from api.credentials import BadCredentials
from api.live import messages
from api.live.closing import CREDENTIALS_ENDED, OF_ENDING, STOPPING, TOO_SLOW, Closing, Code
from api.live.door import Door
from api.live.open_streams import TooManyConnections
from api.live.wire import ENCODED
from api.origin import ForeignPage, Page, page_of
from api.rates.budgets import Spending
from api.tracing import names
from escrow import meters, spans, traces
from escrow.annex import Crowded
from escrow.live.key_lifetimes import Ended, Ending, Viewer
from escrow.spans import Kind
from escrow.traces import trace_id
from schema.engine import costs
from schema.engine.budget import OverBudget
from schema.engine.context import Context, Live
from schema.engine.execution import LONG_BYTES, Operation
from schema.engine.streaming import Refused, Stream
from schema.engine.told import Answer, over_budget
from schema.error_codes import coded

AtOnce = Callable[[Sequence[bytes]], bool]
"""Sends a text message, in parts that are UTF-8, if it can be sent at once; whether it was."""

_CLOSED: Final = meters.Counter("earnest_connections_closed", "WebSockets that this process closed, by code", "code")

_log = logging.getLogger(__name__)

_TOO_MUCH: Final = Closing(Code.TOO_MANY, "Too many long messages wait to be read.")

NAME_CHARACTERS_MAX: Final = 100
"""Of an operation's name, in its span: it is whatever a client says, before anything was looked at."""

_PONG_MISSED: Final = Closing(Code.TIMEOUT, "No pong came.")


class WebSocketEndpoint:
    """Accepts WebSockets and lets each speak."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = Headers(scope=scope)
        address = address_of(scope)
        await self._door.rates.use(self._door.rates.budget(None, address), costs.OPERATION)
        page = page_of(headers.get, self._door)
        if page is not None and not page.may_come:
            await send({"type": "websocket.close"})  # before it was accepted: the handshake is answered with 403
            return
        offered = messages.PROTOCOL in scope.get("subprotocols", ())
        chosen = messages.PROTOCOL if offered else None
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": names(scope)})
        if not offered:
            reason = f"Subprotocol not acceptable: it must be {messages.PROTOCOL}."
            await send({"type": "websocket.close", "code": Code.UNKNOWN_PROTOCOL, "reason": reason})
            return
        if self._door.connections.is_stopping:
            await send({"type": "websocket.close", "code": int(STOPPING.code), "reason": STOPPING.reason})
            return
        wire = scope.get("extensions", {}).get(ENCODED)
        socket = _Socket(
            self._door,
            receive,
            send if wire is not None else _decoded(send),
            wire["at_once"] if wire is not None else _never,
            headers.get("authorization"),
            address,
            page,
        )
        with self._door.connections.opened(socket):
            await socket.run()


class _Socket:
    """One connection."""

    def __init__(
        self,
        door: Door,
        receive: Receive,
        send: Send,
        send_at_once: AtOnce,
        authorization: str | None,
        address: str,
        page: Page | None,
    ) -> None:
        self._door = door
        self._page = page
        self._address = address
        self._payer = door.rates.budget(None, address)
        self._patience = door.connections.patience
        self._receive = receive
        self._asgi_send = send
        self._send_at_once = send_at_once
        self._authorization = authorization
        self._viewer: Viewer | None = None
        self._owner: str | None = None
        self._is_acknowledged = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._streams: dict[str, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard_at = time.monotonic()
        self._pinged_at: float | None = None
        self._waits_since: float | None = None
        self._running = 0
        self._closing: Closing | None = None
        self._leaving: Closing | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Speak until either side ends it."""
        try:
            async with AsyncExitStack() as stack:
                self._task = asyncio.current_task()
                try:
                    await self._speak(stack)
                finally:
                    self._task = None
                    await self._stop_operations()
        except Closing as closing:
            self._closing = self._closing or closing
        except _Gone:
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closing is None or task is None:
                raise
            task.uncancel()
        except Exception:  # noqa: BLE001 - the last resort: the client gets a code and the trace, the log has the rest
            _log.exception("a socket failed")
            self._closing = Closing(Code.INTERNAL, f"Something went wrong inside. The trace id is {trace_id()}.")
        if self._closing is not None:
            await self._close(self._closing)

    def finish(self, closing: Closing) -> None:
        """Close it likewise, once every operation under way that has one answer is answered."""
        self._leaving = closing
        self._leave()

    def _leave(self) -> None:
        if self._leaving is not None and self._running <= len(self._streams):
            self.end(self._leaving)

    def end(self, closing: Closing) -> None:
        """Close it as soon as possible, saying why; the first reason counts."""
        if self._closing is None and self._task is not None:
            self._closing = closing
            self._task.cancel()

    def look(self, now: float) -> None:
        """Find out whether the other side reads, and whether it is there."""
        patience = self._patience
        waits = self._waits_since is not None and now - self._waits_since > patience.send_seconds
        if waits or any(stream.is_too_slow for stream in self._streams.values()):
            self.end(TOO_SLOW)
        elif self._pinged_at is not None:
            if now - self._pinged_at > patience.pong_seconds:
                self.end(_PONG_MISSED)
        elif self._is_acknowledged and now - self._heard_at > patience.ping_seconds:
            self._pinged_at = now
            self._begin(self._say(messages.PING))

    async def _speak(self, stack: AsyncExitStack) -> None:
        deadline = asyncio.timeout(self._patience.init_seconds)
        try:
            async with deadline:
                await self._listen(stack, deadline)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise Closing(Code.TIMEOUT, "Connection initialisation timeout.") from None

    async def _listen(self, stack: AsyncExitStack, deadline: asyncio.Timeout) -> None:
        while True:
            received = await self._receive()
            if received["type"] == "websocket.disconnect":
                if received.get("code") == CloseCode.POLICY_VIOLATION and self._payer is not None:
                    self._payer.charge(costs.HUNG_UP)
                return
            self._heard_at = time.monotonic()
            self._pinged_at = None
            await asyncio.sleep(0)  # others have their turn, too, however many messages wait
            await self._door.rates.use(self._payer, costs.MESSAGE)
            match await self._read(received.get("text")):
                case messages.ConnectionInit() as init:
                    await self._initialise(init, stack)
                    deadline.reschedule(None)
                case messages.Ping(payload):
                    await self._say(messages.pong(payload))
                case messages.Subscribe(operation_id, operation):
                    self._subscribe(operation_id, operation)
                case messages.Complete(operation_id):
                    task = self._operations.pop(operation_id, None)
                    if task is not None:
                        task.cancel()
                case messages.Pong():
                    pass

    async def _read(self, text: str | None) -> messages.Message:
        annex = self._door.annex
        if annex is None or text is None or len(text) <= LONG_BYTES:
            return messages.read(text)
        try:
            return await annex.reading(self._owner)(lambda: messages.read(text))
        except Crowded:
            raise _TOO_MUCH from None

    async def _initialise(self, init: messages.ConnectionInit, stack: AsyncExitStack) -> None:
        if self._is_acknowledged:
            raise Closing(Code.TOO_MANY, "Too many initialisation requests.")
        if init.authorization is not None:
            self._authorization = init.authorization
        try:
            actor = await self._door.actor(self._authorization, self._address, fresh=True)
            if self._page is not None:
                self._page.check(actor)
            self._owner = actor.account_id if actor is not None else None
            self._payer = self._door.rates.budget(actor, self._address)
            await self._door.rates.use(self._payer, costs.SUBSCRIBED)
            stack.enter_context(self._door.connections.counted(actor.credentials if actor is not None else None))
            if actor is not None:
                self._viewer = await stack.enter_async_context(self._door.hub.connected(actor, self._on_end))
        except (BadCredentials, ForeignPage) as error:
            raise Closing(Code.FORBIDDEN, f"Forbidden: {error}") from None
        except Ended as error:
            raise OF_ENDING[error.ending] from None
        except TooManyConnections as error:
            raise Closing(Code.TOO_MANY, str(error)) from None
        except OverBudget:
            raise Closing(Code.TOO_MANY, "Too many wrong keys came from here; try again later.") from None
        self._is_acknowledged = True
        await self._say(messages.ACKNOWLEDGED)

    def _on_end(self, ending: Ending) -> None:
        self.end(OF_ENDING[ending])

    def _subscribe(self, operation_id: str, operation: Operation) -> None:
        if not self._is_acknowledged:
            raise Closing(Code.UNAUTHORIZED, "Unauthorized: wait for connection_ack before you subscribe.")
        if operation_id in self._operations:
            raise Closing(Code.SUBSCRIBER_EXISTS, f"Subscriber for {operation_id} already exists")
        if len(self._operations) < self._patience.operations_max:
            self._operations[operation_id] = self._begin(self._operate(operation_id, operation))
        else:
            most = self._patience.operations_max
            said = f"This connection has {most} operations under way; no more are allowed."
            self._begin(self._say(messages.error(operation_id, [_failure(said, "RATE_LIMITED")])))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._until_gone(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _until_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Of a client that is gone the reading task hears, too, and nobody waits for this one to be told."""
        with suppress(_Gone):
            await work

    async def _operate(self, operation_id: str, operation: Operation) -> None:
        if operation.trace is not None:
            traces.begin(operation.trace._replace(request_id=traces.current().request_id))
        self._running += 1
        try:
            await self._run(operation_id, operation)
        except (BadCredentials, OverBudget):
            self.end(CREDENTIALS_ENDED)
        except Ended as error:
            self.end(OF_ENDING[error.ending])
        except Refused as refused:
            await self._refuse(operation_id, refused.answer)
        except _Gone:
            raise
        except Exception:  # noqa: BLE001 - other operations of the connection go on
            _log.exception("an operation failed")
            said = f"Something went wrong inside. Tell us the trace id {trace_id()}."
            await self._say(messages.error(operation_id, [_failure(said, "INTERNAL")]))
        finally:
            if self._operations.get(operation_id) is asyncio.current_task():
                del self._operations[operation_id]
            self._running -= 1
            self._leave()

    async def _run(self, operation_id: str, operation: Operation) -> None:
        """Answer the operation; each is looked at with the rights that the key has now."""
        asking = self._door.asking(self._authorization, self._address)
        actor = await asking.actor()
        live = Live(self._door.hub, self._viewer, self._door.deliveries) if self._viewer is not None else None
        budget = self._door.rates.budget(actor, self._address)
        context = Context(
            actor=actor,
            sandbox=self._door.sandbox,
            reach=self._door.reach,
            live=live,
            budget=budget,
            still=asking.still,
        )
        with spans.span("operation", Kind.SERVER, earnest_operation=(operation.name or "")[:NAME_CHARACTERS_MAX]):
            started = await self._started(operation, context, budget)
        if isinstance(started, Stream):
            await self._follow(operation_id, started)
        elif started.ran:
            await self._say(messages.next_start(operation_id), started.json(), messages.NEXT_END)
            self._operations.pop(operation_id, None)
            await self._say(messages.complete(operation_id))
        else:
            await self._refuse(operation_id, started)

    async def _refuse(self, operation_id: str, answer: Answer) -> None:
        self._operations.pop(operation_id, None)
        await self._say(messages.error(operation_id, answer.body["errors"]))

    async def _started(self, operation: Operation, context: Context, budget: Spending | None) -> Answer | Stream:
        """The answer or the answers; whoever is refused again and again for want of points waits for it."""
        if budget is None:
            return await self._door.runner.start(operation, context)
        try:
            await budget.admit(operation.length)
            started = await self._door.runner.start(operation, context)
        except OverBudget as error:
            started = over_budget(error, context)
        if isinstance(started, Answer) and started.retry_after_seconds is not None:
            await self._door.rates.pause(budget.client)
        return started

    async def _follow(self, operation_id: str, stream: Stream) -> None:
        try:
            with self._door.connections.following(self._owner):
                await self._stream(operation_id, stream)
        except TooManyConnections as error:
            stream.close()
            await self._say(messages.error(operation_id, [_failure(str(error), "RATE_LIMITED")]))

    async def _stream(self, operation_id: str, stream: Stream) -> None:
        self._streams[operation_id] = stream
        self._leave()
        start = messages.next_start(operation_id)
        try:
            while True:
                await stream.pour(lambda json: self._say_at_once(start, json, messages.NEXT_END))
                payload = await stream.next()
                await self._say(start, payload.json, messages.NEXT_END)
        finally:
            stream.close()
            if self._streams.get(operation_id) is stream:
                del self._streams[operation_id]

    async def _say(self, *encoded: bytes) -> None:
        """Send a message, in parts that are UTF-8; `look` notices if it waits too long for the reader."""
        if self._waits_since is None:
            self._waits_since = time.monotonic()
        try:
            await self._asgi_send({"type": "websocket.send", "encoded": encoded})
        except OSError:
            raise _Gone from None
        finally:
            self._waits_since = None

    def _say_at_once(self, *encoded: bytes) -> bool:
        """Send a message unless it has to wait; whether it was sent. Messages that wait already go first."""
        return self._waits_since is None and self._send_at_once(encoded)

    async def _stop_operations(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self, closing: Closing) -> None:
        _CLOSED.add(str(int(closing.code)))
        try:
            async with asyncio.timeout(self._patience.close_seconds):
                await self._asgi_send({"type": "websocket.close", "code": int(closing.code), "reason": closing.reason})
        except (OSError, TimeoutError):
            return  # gone, or it never read again: the transport is let go


def _decoded(send: Send) -> Send:
    """For a server that is given WebSockets of another make than `api.live.wire`: as ASGI has it, text is no bytes."""

    async def decoding(message: Message) -> None:
        if "encoded" in message:
            message = {"type": "websocket.send", "text": b"".join(message["encoded"]).decode()}
        await send(message)

    return decoding


def _never(_: Sequence[bytes]) -> bool:
    """Such a server always has to be waited for."""
    return False


class _Gone(Exception):
    """The client is not there any more: nothing needs to be said."""


def _failure(message: str, code: str) -> dict[str, object]:
    return {"message": message, "extensions": coded(code)}
