"""Addresses and URLs: every block of the table is closed at both ends, in every spelling, and what is open stays open."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from escrow.settings import Reach
from webhooks.request.ssrf import BLOCKS, URL_LENGTH_MAX, Block, UrlRefused, check_url, target, verdict

ON_THE_INTERNET = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:200::1",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block.network))
def test_both_ends_of_every_block_are_denied(block: Block) -> None:
    for end in (block.network[0], block.network[-1]):
        assert verdict(str(end)) is not None
        assert verdict(str(ipaddress.IPv6Address(f"::ffff:{end}")) if end.version == 4 else end.exploded) is not None


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block.network))
def test_a_block_is_only_open_to_the_reach_that_it_names(block: Block) -> None:
    inside = str(block.network[min(7, block.network.num_addresses - 1)])
    for reach in Reach:
        assert (verdict(inside, reach=reach) is None) == (reach in block.opened_by)


@pytest.mark.parametrize("address", ON_THE_INTERNET)
def test_what_lies_beside_the_blocks_is_open(address: str) -> None:
    assert verdict(address) is None
    assert check_url(f"https://{f'[{address}]' if ':' in address else address}/") is not None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("169.254.169.254", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("64:ff9b::a9fe:a9fe", "NAT64"),
        ("64:ff9b:1::a9fe:a9fe", "NAT64"),
        ("2002:a9fe:a9fe::1", "6to4"),
        ("2001:0:4136:e378::1", "Teredo"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("192.88.99.1", "6to4 relays"),
        ("5f00::1", "segment routing"),
        ("3fff::1", "documentation"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:0:7f00:1", "IPv4-translated"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("fe80::1%eth0", "link-local"),
        ("2606:4700::1%1", "link-local"),
        ("4000::1", "reserved"),
        ("400::1", "reserved"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - a spelling of this machine
        ("::", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("localhost", "no address"),
        ("", "no address"),
    ],
)
def test_special_addresses_are_denied_for_what_they_are(address: str, reason: str) -> None:
    assert verdict(address) == reason


def test_metadata_is_denied_however_far_webhooks_reach() -> None:
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254", "0.0.0.1"):
        assert all(verdict(address, reach=reach) is not None for reach in Reach)


LOOPBACK_SPELLED = [
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "127.0.0.1",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "\uff11\uff12\uff17.0.0.1",
    "\uff11\uff12\uff17\u3002\uff10\u3002\uff10\u3002\uff11",
    "\u2460\u2461\u2466.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "hooks.localhost",
    "\u24dbocalhost",
]


@pytest.mark.parametrize("host", LOOPBACK_SPELLED)
def test_loopback_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(f"https://{host}/hook")


@pytest.mark.parametrize("host", [host for host in LOOPBACK_SPELLED if "ocalhost" not in host.lower()])
def test_an_accepted_number_means_to_the_system_what_it_meant_to_us(host: str) -> None:
    try:
        accepted = check_url(f"http://{host}/", reach=Reach.LOOPBACK)
    except UrlRefused:
        return
    literal = accepted.removeprefix("http://").strip("/[]")
    found = socket.getaddrinfo(literal, 80, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    assert {verdict(str(address[0])) for *_, address in found} == {"loopback"}


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("", "is no URL"),
        ("hooks.example.com", "is no URL"),
        ("//hooks.example.com/", "must begin with https"),
        ("https:/hooks.example.com", "is no URL"),
        ("https:///path", "is no URL"),
        ("http://hooks.example.com/", "must be https"),
        ("ftp://hooks.example.com/", "must begin with https"),
        ("file:///etc/passwd", "is no URL"),
        ("gopher://hooks.example.com/", "must begin with https"),
        ("https://user:secret@hooks.example.com/", "credentials"),
        ("https://user@hooks.example.com/", "credentials"),
        ("https://@hooks.example.com:secret@other.example.com/", "credentials"),
        ("https://hooks.example.com/#part", "fragment"),
        ("https://hooks.example.com/#", "fragment"),
        ("https://hooks.example.com/a b", "a space"),
        ("https://hooks.example.com/\r\nhost: other", "a space"),
        ("https://hooks.example.com/\x00", "a space"),
        ("https://hooks.example.com\\@other.example.com/", "a space, a backslash"),
        ("https://hooks.example.com:22/", "port 22"),
        ("https://hooks.example.com:25/", "port 25"),
        ("https://hooks.example.com:6667/", "port 6667"),
        ("https://hooks.example.com:0/", "port 0"),
        ("https://hooks.example.com:65536/", "is no URL"),
        ("https://hooks.example.com:port/", "is no URL"),
        ("https://intranet/", "no dot"),
        ("https://hooks..example.com/", "no name"),
        ("https://hooks.example.com../", "no name"),
        ("https://-hooks.example.com/", "no name"),
        ("https://exa%6dple.com/", "no name"),
        ("https://127.0.0.1%00.example.com/", "no name"),
        (f"https://{'a' * 64}.example.com/", "no name"),
        (f"https://{'a.' * 127}example.com/", "no name"),
        ("https://[::1", "is no URL"),
        ("https://[fe80::1%25eth0]/", "link-local"),
        ("https://[2606:4700:4700::1111%25eth0]/", "link-local"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest/meta-data", "cloud metadata"),
        ("https://1.2.3.4.5/", "usually written"),
        ("https://999.1.1.1/", "usually written"),
        ("https://hooks.example.0x7f/", "usually written"),
        (f"https://hooks.example.com/{'a' * URL_LENGTH_MAX}", f"at most {URL_LENGTH_MAX}"),
    ],
)
def test_a_wrong_url_is_refused_with_one_line_that_says_what_would_be_right(url: str, right: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        check_url(url)
    assert right in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("HTTPS://Hooks.Example.COM./a?b=c", "https://hooks.example.com/a?b=c"),
        ("https://hooks.example.com:8443/", "https://hooks.example.com:8443/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://hooks.example.com/?token=%26%2B%25", "https://hooks.example.com/?token=%26%2B%25"),
        ("https://[2606:4700:4700::1111]:8443/x", "https://[2606:4700:4700::1111]:8443/x"),
        ("https://[2606:4700:4700:0::1111]:443/x", "https://[2606:4700:4700::1111]/x"),
        ("https://hooks.example.com?sig=%2F", "https://hooks.example.com/?sig=%2F"),
        ("https://hooks.example.com/\u0622\u200c?q=\u00fc%FC", "https://hooks.example.com/%D8%A2%E2%80%8C?q=%C3%BC%FC"),
    ],
)
def test_a_url_is_spelled_as_it_will_be_sent(url: str, sent: str) -> None:
    assert check_url(url) == sent
    assert check_url(sent) == sent


AS_GIVEN = [
    "/", "/?", "/p?", "//a", "/a/../b/./c", "/?sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c%3D", "/%28x%29?a=%2C,&b=%e4%7E~",
    "/a;b=c,d?e[]=f&&g==h+i%20j", "/a|b\"<>^`{}%zz%", "/?next=https://other.example/x", "/x://other.example/z?@other.example",
    "/@other.example:22/", "/%5C%0d%0a%00",
]  # fmt: skip
"""What may follow a host, none of it anybody's business but the receiver's."""


@pytest.mark.parametrize("rest", AS_GIVEN)
@pytest.mark.parametrize("host", ["hooks.example.com", "Hooks.Example.com.:8443", "[2606:4700:4700::1111]", "1.1.1.1"])
def test_what_follows_the_host_is_called_as_it_was_given(host: str, rest: str) -> None:
    called = target(f"https://{host}{rest}")
    assert called.raw_path_qs == rest
    assert called.raw_host == host.lower().removesuffix(":8443").removesuffix(".").strip("[]")
    assert check_url(f"https://{host}{rest}").endswith(rest)
    assert target(check_url(f"https://{host}{rest}")) == called


@pytest.mark.parametrize("rest", AS_GIVEN)
@pytest.mark.parametrize(
    "host", [*LOOPBACK_SPELLED, "169.254.169.254", "10.0.0.1", "[64:ff9b::a9fe:a9fe]", "a@b.example"]
)
def test_whatever_follows_it_a_host_that_is_denied_stays_denied(host: str, rest: str) -> None:
    with pytest.raises(UrlRefused):
        target(f"https://{host}{rest}")


def test_what_is_open_grows_with_the_reach() -> None:
    local, private, single = "http://127.0.0.1:8800/hook", "http://10.1.2.3/", "http://receiver:9000/"
    with pytest.raises(UrlRefused):
        check_url(local)
    assert check_url(local, reach=Reach.LOOPBACK) == local
    assert check_url("http://localhost:8800/", reach=Reach.LOOPBACK) == "http://localhost:8800/"
    assert check_url("http://[::1]:8800/", reach=Reach.LOOPBACK) == "http://[::1]:8800/"
    for url in (private, single):
        with pytest.raises(UrlRefused):
            check_url(url, reach=Reach.LOOPBACK)
        assert check_url(url, reach=Reach.PRIVATE) == url
    assert check_url(local, reach=Reach.PRIVATE) == local
