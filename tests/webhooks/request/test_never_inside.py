"""No request ever reaches an address that is denied, however it is spelled, named, mixed, flipped, pooled or redirected to.

The denied address of these tests is one that does lead to the test's own receiver (0.0.0.0 reaches this machine, as every
attacker knows), so a gap would show as a connection. The open one is 127.0.0.1, as while developing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from yarl import URL

from escrow.settings import Reach
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.receivers import Heard, Names, Receiver, answers, receiver
from tests.workers.process import until
from webhooks.request import ssrf
from webhooks.request.answers import Answer, ErrorClass
from webhooks.request.sender import Sender
from webhooks.request.ssrf import Block

OPEN = "127.0.0.1"
DENIED = "0.0.0.0"  # noqa: S104 - an address to connect to, and to be kept from
DENIED_SPELLINGS = [DENIED, "::ffff:0.0.0.0", "::ffff:0:0"]


async def post(by: Sender, url: str) -> Answer:
    return await by.post(url=url, headers={}, body=b"{}")


def sender(names: Names, *, reach: Reach = Reach.LOOPBACK) -> Sender:
    return Sender(reach=reach, resolver=names, total_seconds=PATIENCE_SECONDS)


async def test_the_denied_address_of_these_tests_does_lead_to_the_receiver() -> None:
    async with receiver() as seen:
        _, writer = await asyncio.open_connection(DENIED, seen.port)
        writer.close()

        async def arrived() -> bool:
            return seen.connections == 1

        await until(arrived)


@pytest.mark.parametrize("denied", DENIED_SPELLINGS)
@pytest.mark.parametrize("place", ["alone", "first", "last", "in the middle"])
async def test_a_name_with_any_denied_address_is_refused_as_a_whole(denied: str, place: str) -> None:
    found = {
        "alone": [denied],
        "first": [denied, OPEN],
        "last": [OPEN, denied],
        "in the middle": [OPEN] * 20 + [denied] + [OPEN] * 20,
    }[place]
    async with receiver() as seen, sender(Names(hooks_test=found)) as by:
        answer = await post(by, seen.url("hooks.test"))
        assert (answer.status, answer.error, answer.address) == (None, ErrorClass.ADDRESS_REFUSED, None)
        assert seen.connections == 0


@pytest.mark.parametrize(
    "block", [block for block in ssrf.BLOCKS if not block.opened_by], ids=lambda block: str(block.network)
)
async def test_a_name_in_any_block_of_the_table_is_refused(block: Block) -> None:
    for reach in Reach:
        async with sender(Names(hooks_test=[str(block.network[-1])]), reach=reach) as by:
            assert (await post(by, "https://hooks.test/")).error is ErrorClass.ADDRESS_REFUSED


async def test_loopback_itself_is_refused_where_nobody_opened_it() -> None:
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        async with receiver() as seen, sender(Names(hooks_test=[host]), reach=Reach.PUBLIC) as by:
            answer = await post(by, seen.url("hooks.test", scheme="https"))
            assert answer.error is ErrorClass.ADDRESS_REFUSED
            assert seen.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        DENIED,
        "0",
        "0x0",
        "00.0.0.0",
        "0.0",
        "0.0.0.0.",
        "000.000.000.000",
        "0x0.0x0.0x0.0x0",
        "\uff10.\uff10.\uff10.\uff10",
        "[::]",
        "[::ffff:0.0.0.0]",
        "[::0.0.0.0]",
        "[64:ff9b::0.0.0.0]",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "127.1",
    ],
)
async def test_a_literal_address_is_judged_in_every_spelling(host: str) -> None:
    names = Names()
    async with receiver() as seen, sender(names) as by:
        answer = await post(by, seen.url(host))
        assert answer.error in (ErrorClass.URL_REFUSED, ErrorClass.ADDRESS_REFUSED)
        assert seen.connections == 0
        assert names.asked == []


async def test_a_literal_that_slips_through_the_check_of_urls_is_stopped_at_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three hooks, one verdict: without the check of URLs, and with no name to resolve, the socket is never made."""
    monkeypatch.setattr(ssrf, "target", lambda url, **_: URL(url))
    async with receiver() as seen, sender(Names()) as by:
        for host in (DENIED, "[::ffff:0.0.0.0]", "0"):
            answer = await post(by, seen.url(host))
            assert (answer.status, answer.address) == (None, None)
        assert seen.connections == 0
        assert (await post(by, seen.url(OPEN))).is_success


async def test_a_name_that_flips_after_it_was_checked_is_caught_at_the_next_connection() -> None:
    """Rebinding: open when the endpoint was made and at the first attempt, denied from then on."""
    names = Names(flip_test=[[OPEN], [DENIED]])
    async with receiver(answers(headers=["connection: close"])) as seen, sender(names) as by:
        assert (await post(by, seen.url("flip.test"))).is_success
        for _ in range(3):
            assert (await post(by, seen.url("flip.test"))).error is ErrorClass.ADDRESS_REFUSED
        assert seen.connections == 1
        assert len(names.asked) == 4  # each attempt asks anew: nothing is remembered


async def test_a_name_that_flips_back_and_forth_never_gets_inside() -> None:
    names = Names(flip_test=[[DENIED], [OPEN], [DENIED], [OPEN, DENIED], [OPEN]])
    async with receiver(answers(headers=["connection: close"])) as seen, sender(names) as by:
        successes = [(await post(by, seen.url("flip.test"))).is_success for _ in range(5)]
        assert successes == [False, True, False, False, True]
        assert seen.connections == 2


async def test_a_pooled_connection_stays_where_it_was_judged_whatever_the_name_says_now() -> None:
    names = Names(flip_test=[[OPEN], [DENIED]])
    async with receiver() as seen, sender(names) as by:
        answered = [await post(by, seen.url("flip.test")) for _ in range(5)]
        assert [answer.address for answer in answered] == [OPEN] * 5
        assert (seen.connections, len(seen.heard), names.asked) == (1, 5, ["flip.test"])


@pytest.fixture
def denied_later(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test deny loopback, as a new release with a longer table would."""
    yield monkeypatch
    ssrf.verdict.cache_clear()


async def test_a_pooled_connection_to_an_address_that_is_denied_later_is_not_used(
    denied_later: pytest.MonkeyPatch,
) -> None:
    async with receiver() as seen, sender(Names(hooks_test=[OPEN])) as by:
        assert (await post(by, seen.url("hooks.test"))).is_success
        newer = ssrf.Block(ssrf.BLOCKS[0].network.supernet(new_prefix=0), "denied since")
        denied_later.setattr(ssrf, "BLOCKS", (newer, *ssrf.BLOCKS))
        ssrf.verdict.cache_clear()
        for _ in range(2):
            assert (await post(by, seen.url("hooks.test"))).error is ErrorClass.ADDRESS_REFUSED
        assert (seen.connections, len(seen.heard)) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place", ["http://0.0.0.0:{port}/", "http://inside.test:{port}/", "//0.0.0.0:{port}/", "file:///etc/passwd"]
)
async def test_a_redirect_inside_is_not_followed(status: int, place: str) -> None:
    names = Names(hooks_test=[OPEN], inside_test=[DENIED])
    async with receiver() as inside:
        location = f"location: {place.format(port=inside.port)}"
        async with receiver(answers(status, b"", [location])) as seen, sender(names) as by:
            answer = await post(by, seen.url("hooks.test"))
            assert (answer.status, answer.is_success) == (status, False)
            assert names.asked == ["hooks.test"]
        assert inside.connections == 0


async def test_an_answer_that_asks_for_another_connection_does_not_lead_inside() -> None:
    """`Alt-Svc`, `Refresh` and a retry on a new connection: the name is judged again each time."""

    async def behave(seen: Receiver, heard: Heard, writer: asyncio.StreamWriter) -> None:
        if len(seen.heard) == 1:
            await answers(200, b"ok", ['alt-svc: h2="0.0.0.0:80"', "refresh: 0; url=http://0.0.0.0/"])(
                seen, heard, writer
            )
        else:
            writer.close()

    names = Names(flip_test=[[OPEN], [DENIED]])
    async with receiver(behave) as seen, sender(names) as by:
        assert (await post(by, seen.url("flip.test"))).is_success
        answer = await post(by, seen.url("flip.test"))
        assert (answer.error, answer.is_success) == (ErrorClass.ADDRESS_REFUSED, False)
        assert seen.connections == 1


async def test_a_name_with_a_thousand_addresses_knocks_on_few_doors() -> None:
    many = [f"127.0.{high}.{low}" for high in range(1, 5) for low in range(1, 251)]
    async with receiver(host="127.0.0.1") as unrelated, sender(Names(many_test=many)) as by:
        answer = await post(by, f"http://many.test:{unrelated.port}/")
    assert answer.error is ErrorClass.CONNECT_FAILED
    assert unrelated.connections == 0
