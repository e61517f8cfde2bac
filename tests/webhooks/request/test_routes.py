"""A request begins with what was made ready for its URL; few URLs are remembered, and no header breaks out of its line."""

from __future__ import annotations

import pytest

from escrow.settings import Reach
from webhooks.request import routes
from webhooks.request.routes import Route, Routes
from webhooks.request.ssrf import UrlRefused


async def test_a_request_is_one_piece_of_what_is_fixed_and_what_is_not() -> None:
    route = _ways().to("https://Hooks.Example.com/a?b=%2F")
    assert route.request({"webhook-id": "evt_1", "webhook-timestamp": "7"}, b"{}") == (
        b"POST /a?b=%2F HTTP/1.1\r\nhost: hooks.example.com\r\nfixed: yes\r\nwebhook-id: evt_1\r\nwebhook-timestamp: 7\r\n"
        b"content-length: 2\r\n\r\n{}"
    )


async def test_the_host_has_its_port_unless_it_is_the_usual_one() -> None:
    heads = [_ways().to(f"https://hooks.example.com{port}/").head for port in ("", ":443", ":8443")]
    assert [head.partition(b"host: ")[2].partition(b"\r\n")[0] for head in heads] == [
        b"hooks.example.com",
        b"hooks.example.com",
        b"hooks.example.com:8443",
    ]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb: c", "a\rb", "a\0b", "a\r\n\r\nPOST / HTTP/1.1"])
async def test_a_header_that_would_end_its_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="a line of its own"):
        _ways().to("https://hooks.example.com/").request({"webhook-id": value}, b"{}")


async def test_a_refused_url_has_no_way_however_often_it_is_asked_for() -> None:
    ways = _ways()
    for _ in range(2):
        with pytest.raises(UrlRefused):
            ways.to("http://169.254.169.254/")


async def test_the_ways_that_were_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "ROUTES_KEPT", 2)
    ways = _ways()

    def to(name: str) -> Route:
        return ways.to(f"https://{name}.example.com/")

    first, second = to("one"), to("two")
    assert to("one") is first
    to("three")
    assert to("one") is first
    assert to("two") is not second
    assert len(ways._known) == 2


def _ways() -> Routes:
    return Routes(Reach.PUBLIC, {"fixed": "yes"})
