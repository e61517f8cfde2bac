"""The sender: what a request carries, what comes of every kind of answer, and that no receiver can hold it or make it raise."""

from __future__ import annotations

import asyncio
import contextvars
import gzip
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.settings import Reach
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.certificates import Authority
from tests.webhooks.receivers import (
    Behaviour,
    Heard,
    Names,
    Receiver,
    answers,
    drips,
    endless,
    hangs,
    receiver,
    says,
)
from tests.workers.process import until
from webhooks.request.answers import Answer, ErrorClass, current, retry_after_seconds
from webhooks.request.dns import Resolver, SystemResolver
from webhooks.request.sender import EXCERPT_BYTES_MAX, Sender

BODY = b'{"type":"milestone.released"}'
SIGNED = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}


def sender(resolver: Resolver | None = None, *, total_seconds: float = PATIENCE_SECONDS) -> Sender:
    """One that reaches this machine, where the tests' receivers are. It waits, however busy the machine is."""
    return Sender(reach=Reach.LOOPBACK, resolver=resolver, total_seconds=total_seconds)


async def post(by: Sender, url: str) -> Answer:
    return await by.post(url=url, headers=SIGNED, body=BODY)


async def once(behave: Behaviour, *, total_seconds: float = PATIENCE_SECONDS) -> Answer:
    async with receiver(behave) as seen, sender(total_seconds=total_seconds) as by:
        return await post(by, seen.url())


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("/?sp=%2Ftriggers%2Fmanual%2Frun&sig=%28%2C%3D", None),
        ("/a/../b//c?", None),
        ("/a|b?x=[]&&y=%zz", None),
        ("?x=%2F", "/?x=%2F"),
        ("", "/"),
        ("/ä?ü=%FC", "/%C3%A4?%C3%BC=%FC"),
    ],
)
async def test_the_receiver_is_called_by_the_address_that_it_gave_byte_for_byte(path: str, called: str | None) -> None:
    async with receiver() as seen, sender() as by:
        assert (await post(by, seen.url(path=path))).is_success
        assert seen.heard[0].line == f"POST {called or path} HTTP/1.1"


async def test_the_request_carries_the_body_and_the_headers_and_nothing_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiver() as seen, sender(Names(hooks_test=["127.0.0.1"])) as by:
        answer = await post(by, seen.url("hooks.test", path="/hook?a=b"))
        assert answer.is_success
    (heard,) = seen.heard
    assert heard.line == "POST /hook?a=b HTTP/1.1"
    assert heard.body == BODY
    agent = heard.headers.pop("user-agent")
    assert agent.startswith("Earnest/")
    assert heard.headers == SIGNED | {
        "host": f"hooks.test:{seen.port}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
    }


async def test_an_answer_says_when_where_and_how_long() -> None:
    before = datetime.now(UTC)
    async with receiver(answers(202, b"thanks")) as seen, sender(Names(hooks_test=["127.0.0.1"])) as by:
        first = await post(by, seen.url("hooks.test"))
        second = await post(by, seen.url("hooks.test"))
    assert (first.status, first.error, first.excerpt, first.address) == (202, None, b"thanks", "127.0.0.1")
    assert before <= first.started_at <= datetime.now(UTC)
    assert first.dns_ms is not None
    assert first.connect_ms is not None
    assert first.first_byte_ms is not None
    assert 0 <= first.dns_ms <= first.connect_ms <= first.first_byte_ms <= first.total_ms
    assert second.is_success
    assert (second.dns_ms, second.connect_ms, second.address) == (None, None, "127.0.0.1")
    assert seen.connections == 1


@pytest.mark.parametrize(
    ("status", "success"),
    [(200, True), (204, True), (299, True), (304, False), (400, False), (410, False), (500, False)],
)
async def test_any_2xx_is_a_success_and_nothing_else(status: int, success: bool) -> None:
    answer = await once(answers(status, b"" if status in (204, 304) else b"x"))
    assert (answer.status, answer.is_success, answer.error) == (status, success, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_never_followed(status: int) -> None:
    async with receiver() as inside:
        answer = await once(answers(status, b"", [f"location: {inside.url()}"]))
        assert (answer.status, answer.is_success) == (status, False)
        assert inside.connections == 0


async def test_no_cookie_is_ever_sent_back() -> None:
    async with receiver(answers(200, b"", ["set-cookie: a=b; path=/"])) as seen, sender() as by:
        await post(by, seen.url())
        await post(by, seen.url())
    assert len(seen.heard) == 2
    assert all("cookie" not in heard.headers for heard in seen.heard)


class Deadlines:
    """Those of the sender's requests: each passes when the test says so, so that none does before a request is far enough."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        """How far away they would be."""
        self._made: list[asyncio.Timeout] = []

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """In place of asyncio's."""
        self.seconds.append(seconds)
        self._made.append(asyncio.timeout(None))
        return self._made[-1]

    def pass_now(self) -> None:
        self._made[-1].reschedule(asyncio.get_running_loop().time())


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    these = Deadlines()
    monkeypatch.setattr("webhooks.request.sender.asyncio", these)
    return these


async def test_a_receiver_that_hangs_times_out(deadlines: Deadlines) -> None:
    async with receiver(hangs) as seen, sender(total_seconds=7) as by:
        under_way = asyncio.create_task(post(by, seen.url()))
        await seen.arrived.wait()
        assert deadlines.seconds == [7]
        deadlines.pass_now()
        answer = await under_way
    assert (answer.status, answer.error, answer.address) == (None, ErrorClass.TIMEOUT, "127.0.0.1")


async def test_a_body_that_drips_times_out_and_its_connection_is_not_used_again(deadlines: Deadlines) -> None:
    async def behave(seen: Receiver, heard: Heard, writer: asyncio.StreamWriter) -> None:
        await (drips if len(seen.heard) == 1 else answers())(seen, heard, writer)

    async with receiver(behave) as seen, sender() as by:
        context = contextvars.copy_context()
        under_way = asyncio.create_task(post(by, seen.url()), context=context)

        async def has_begun() -> bool:
            return current in context and bool(context[current].answer.excerpt)

        await until(has_begun)
        deadlines.pass_now()
        answer = await under_way
        assert (answer.status, answer.error, answer.is_success) == (200, ErrorClass.TIMEOUT, False)
        assert 0 < len(answer.excerpt) < 100_000
        assert (await post(by, seen.url())).is_success
        assert seen.connections == 2


async def test_headers_that_drip_time_out() -> None:
    async def behave(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    answer = await once(behave, total_seconds=0.3)
    assert (answer.status, answer.error) == (None, ErrorClass.TIMEOUT)


async def test_of_an_endless_answer_16_kib_are_kept_and_hardly_more_is_read() -> None:
    async with receiver(endless) as seen, sender() as by:
        answer = await post(by, seen.url())
        assert answer.is_success
        assert answer.excerpt == b"x" * EXCERPT_BYTES_MAX
        assert (await post(by, seen.url())).is_success
        assert seen.connections == 2  # the first was closed, not drained


async def test_a_long_answer_that_ends_is_cut() -> None:
    answer = await once(answers(500, b"y" * (EXCERPT_BYTES_MAX + 1)))
    assert (answer.status, answer.error, answer.excerpt) == (500, None, b"y" * EXCERPT_BYTES_MAX)


async def test_a_gzip_bomb_is_kept_as_it_came_and_never_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    answer = await once(answers(200, bomb, ["content-encoding: gzip"]))
    assert answer.is_success
    assert answer.excerpt == bomb[:EXCERPT_BYTES_MAX]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(5_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 0 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"\x00" * 1000,
    ],
    ids=[
        "many headers",
        "a long header",
        "a long reason",
        "ssh",
        "status 0",
        "status 000",
        "status 099",
        "length below 0",
        "two lengths",
        "zeros",
    ],
)
async def test_what_is_no_http_is_an_invalid_answer(raw: bytes) -> None:
    answer = await once(says(raw))
    assert (answer.status, answer.error) == (None, ErrorClass.INVALID_ANSWER)


async def test_a_flood_of_provisional_answers_ends_with_the_deadline() -> None:
    async def behave(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
            await writer.drain()

    async with asyncio.timeout(PATIENCE_SECONDS):  # it would go on for ever
        answer = await once(behave, total_seconds=0.3)
    assert answer.error is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["at once", "in the headers", "in the body", "in a chunk"],
)
async def test_an_answer_cut_off_is_a_failure(raw: bytes) -> None:
    answer = await once(says(raw))
    assert not answer.is_success
    assert answer.error is ErrorClass.DISCONNECTED


@settings(max_examples=40)
@given(raw=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail))
async def test_whatever_comes_back_is_an_answer(raw: bytes) -> None:
    answer = await once(says(raw))
    assert answer.error is not None or answer.status is not None


async def test_nobody_listening_is_a_failure_to_connect() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with sender() as by:
            answer = await post(by, f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.error, answer.address) == (None, ErrorClass.CONNECT_FAILED, None)


async def test_a_refused_url_is_never_looked_up() -> None:
    names = Names()
    async with sender(names) as by:
        for url in ("http://user:secret@hooks.test/", "ftp://hooks.test/", "http://hooks.test:25/", "nonsense"):
            answer = await post(by, url)
            assert (answer.status, answer.error) == (None, ErrorClass.URL_REFUSED)
    assert names.asked == []


async def test_a_name_without_addresses_is_told_from_one_that_is_refused() -> None:
    names = Names(gone_test=OSError("no such name"), empty_test=[], inside_test=["10.0.0.7"])
    async with sender(names) as by:
        assert (await post(by, "http://gone.test/")).error is ErrorClass.DNS_FAILED
        assert (await post(by, "http://empty.test/")).error is ErrorClass.DNS_FAILED
        refused = await post(by, "http://inside.test/")
    assert (refused.error, refused.address) == (ErrorClass.ADDRESS_REFUSED, None)


async def test_a_name_server_that_hangs_times_out() -> None:
    class Silent:
        async def addresses(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError(host)

    async with sender(Silent(), total_seconds=0.2) as by:
        answer = await post(by, "http://hooks.test/")
    assert answer.error is ErrorClass.TIMEOUT
    assert answer.total_ms >= 200


async def test_an_idle_connection_that_the_receiver_closed_is_nobodys_failure() -> None:
    """Keep-alive's race: the second request runs into a connection that is closed at that very moment."""

    async def behave(seen: Receiver, heard: Heard, writer: asyncio.StreamWriter) -> None:
        if len(seen.heard) == 2:  # the second request on the first connection
            writer.close()
        else:
            await answers()(seen, heard, writer)

    async with receiver(behave) as seen, sender() as by:
        assert (await post(by, seen.url())).is_success
        again = await post(by, seen.url())
    assert again.is_success
    assert again.connect_ms is not None
    assert seen.connections == 2
    assert [heard.body for heard in seen.heard] == [BODY] * 3


async def test_a_receiver_that_closes_every_connection_is_tried_once_more_at_most() -> None:
    async def behave(seen: Receiver, heard: Heard, writer: asyncio.StreamWriter) -> None:
        if len(seen.heard) == 1:
            await answers()(seen, heard, writer)
        else:
            writer.close()

    async with receiver(behave) as seen, sender() as by:
        assert (await post(by, seen.url())).is_success
        assert (await post(by, seen.url())).error is ErrorClass.DISCONNECTED
        assert len(seen.heard) == 3
        assert (await post(by, seen.url())).error is ErrorClass.DISCONNECTED
        assert len(seen.heard) == 4  # a new connection is not tried twice


async def test_closing_the_sender_ends_what_is_under_way() -> None:
    async with receiver(hangs) as seen, sender() as by:
        under_way = asyncio.create_task(post(by, seen.url()))
        await seen.arrived.wait()
        await by.close()
        answer = await under_way
        with pytest.raises(RuntimeError, match="closed"):
            await post(by, seen.url())
    assert answer.error is ErrorClass.DISCONNECTED
    assert len(seen.heard) == 1


async def test_cancelling_cancels_and_leaves_the_sender_well() -> None:
    async with receiver(hangs) as silent, receiver() as seen, sender() as by:
        under_way = asyncio.create_task(post(by, silent.url()))
        await silent.arrived.wait()
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        assert (await post(by, seen.url())).is_success


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def tls_answer(
    authority: Authority, presented: str, asked: str, *, trusted: bool = True, expired: bool = False
) -> tuple[Answer, int]:
    """What comes of asking for one name when the certificate is for another, and how many requests arrived."""
    names = Names(hooks_test=["127.0.0.1"], other_test=["127.0.0.1"])
    tls = authority.client() if trusted else None
    async with receiver(tls=authority.server(presented, expired=expired)) as seen:
        async with Sender(reach=Reach.LOOPBACK, resolver=names, tls=tls, total_seconds=PATIENCE_SECONDS) as by:
            answer = await post(by, seen.url(asked, scheme="https"))
        return answer, len(seen.heard)


async def test_a_right_certificate_is_accepted(authority: Authority) -> None:
    for presented, asked in [("hooks.test", "hooks.test"), ("hooks.test", "Hooks.Test."), ("127.0.0.1", "127.0.0.1")]:
        answer, requests = await tls_answer(authority, presented, asked)
        assert answer.is_success
        assert requests == 1


async def test_a_wrong_certificate_is_refused_before_anything_is_sent(authority: Authority) -> None:
    for answer, requests in [
        await tls_answer(authority, "hooks.test", "other.test"),
        await tls_answer(authority, "hooks.test", "127.0.0.1"),
        await tls_answer(authority, "hooks.test", "hooks.test", expired=True),
        await tls_answer(authority, "hooks.test", "hooks.test", trusted=False),
    ]:
        assert (answer.status, answer.error) == (None, ErrorClass.CERTIFICATE_REFUSED)
        assert requests == 0


async def test_a_receiver_without_tls_fails_at_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, sender() as by:
        answer = await post(by, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (answer.status, answer.error) == (None, ErrorClass.TLS_FAILED)


NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300.0),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), 0.0),
        ("Tuesday, 01-Jan-30 12:00:30 GMT", 30.0),
        ("Tue Jan  1 12:01:00 2030", 60.0),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 40, None),
        ("soon", None),
        ("", None),
        ("Tue, 99 Jan 2030 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_none(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


async def test_an_answer_carries_what_the_receiver_asked_for() -> None:
    assert (await once(answers(503, b"", ["retry-after: 90"]))).retry_after_seconds == 90
    assert (await once(answers(503))).retry_after_seconds is None


async def test_the_systems_resolver_asks_once_for_all_who_wait_and_remembers_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    began, go_on = threading.Event(), threading.Event()

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        began.set()
        go_on.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = SystemResolver()
    waiting = [asyncio.create_task(resolver.addresses("hooks.test")) for _ in range(50)]
    assert await asyncio.to_thread(began.wait, 60)
    waiting[0].cancel()
    go_on.set()
    assert [await task for task in waiting[1:]] == [["192.0.2.1"]] * 49
    assert asked == ["hooks.test"]
    assert await resolver.addresses("hooks.test") == ["192.0.2.1"]
    assert asked == ["hooks.test"] * 2


async def test_names_that_hang_do_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host.startswith("slow"):
            go_on.wait(120)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = SystemResolver()
    slow = [asyncio.create_task(resolver.addresses(f"slow{number}.test")) for number in range(40)]
    try:
        async with asyncio.timeout(60):
            assert await resolver.addresses("quick.test") == ["192.0.2.1"]
        assert not any(task.done() for task in slow)
    finally:
        go_on.set()
        await asyncio.gather(*slow)


async def test_the_systems_resolver_knows_this_machine_and_no_nonsense() -> None:
    resolver = SystemResolver()
    assert set(await resolver.addresses("localhost")) <= {"127.0.0.1", "::1"}
    for host in ("a" * 64 + ".test", "nothing.invalid"):
        with pytest.raises(OSError):  # noqa: PT011 - the system words it
            await resolver.addresses(host)


def test_it_does_the_same_on_the_loop_that_workers_run_on() -> None:
    async def all_of_it() -> list[Answer]:
        async with receiver() as seen, sender(Names(hooks_test=["127.0.0.1"], inside_test=["0.0.0.0"])) as by:  # noqa: S104
            return [await post(by, seen.url(host)) for host in ("hooks.test", "hooks.test", "inside.test")]

    answered: list[Answer] = []
    thread = threading.Thread(target=lambda: answered.extend(uvloop.run(all_of_it())))
    thread.start()
    thread.join()
    assert [answer.error for answer in answered] == [None, None, ErrorClass.ADDRESS_REFUSED]
    assert answered[0].address == "127.0.0.1"
    assert answered[1].connect_ms is None
