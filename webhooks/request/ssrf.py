"""Decides where webhooks may go: what a URL must look like, and which addresses are never connected to.

Python's `ipaddress.is_global` takes NAT64, 6to4, multicast and others for global, so the table of special blocks is our own,
after IANA's registries of special-purpose addresses. URLs are parsed by the library that sends the request, so that a check
and a connection never read one URL in two ways; what follows the host is nobody's but the receiver's, and is called as it was
given, byte for byte, since addresses are signed. Of a name only the form is judged here; its addresses are when they are used.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from yarl import URL

from escrow.causes import Cause
from escrow.errors import quoted
from escrow.settings import Reach

URL_LENGTH_MAX: Final = 2048

PORTS_BELOW_1024: Final = frozenset({80, 443})
"""A webhook is no way to talk to a mail server: below 1024 only the ports of HTTP itself."""

PORTS_OF_OTHERS: Final = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)
"""Ports that belong to other protocols; browsers refuse them, too (the Fetch standard's “bad ports”)."""

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAME_LENGTH_MAX: Final = 253
_AFTER_HOST: Final = re.compile(r"(?<=://)[^/?#]*(?P<rest>[/?].*)")
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_JOINERS: Final = "\u200c\u200d"
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UrlRefused(ValueError):
    """A URL that no webhook is sent to; the message is one line that says what was wrong and what would be right."""

    def __init__(self, message: str, cause: Cause) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Block:
    """A block of addresses that are not simply somebody's on the internet."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    name: str
    opened_by: frozenset[Reach] = frozenset()
    """The reaches that allow it; most blocks are closed for ever."""


_LOOPBACK: Final = frozenset({Reach.LOOPBACK, Reach.PRIVATE})
_PRIVATE: Final = frozenset({Reach.PRIVATE})


def _block(network: str, name: str, opened_by: frozenset[Reach] = frozenset()) -> Block:
    return Block(ipaddress.ip_network(network), name, opened_by)


BLOCKS: Final = (
    # What tells a machine its secrets stands first: it is denied inside blocks that a reach opens, too.
    _block("169.254.169.254/32", "cloud metadata"),
    _block("168.63.129.16/32", "cloud metadata"),
    _block("100.100.100.200/32", "cloud metadata"),
    _block("fd00:ec2::254/128", "cloud metadata"),
    _block("fd20:ce::254/128", "cloud metadata"),
    _block("0.0.0.0/8", "unspecified"),
    _block("10.0.0.0/8", "private", _PRIVATE),
    _block("100.64.0.0/10", "shared with a carrier's customers"),
    _block("127.0.0.0/8", "loopback", _LOOPBACK),
    _block("169.254.0.0/16", "link-local"),
    _block("172.16.0.0/12", "private", _PRIVATE),
    _block("192.0.0.0/24", "protocol assignments"),
    _block("192.0.2.0/24", "documentation"),
    _block("192.31.196.0/24", "a sink for name servers"),
    _block("192.52.193.0/24", "multicast relays"),
    _block("192.88.99.0/24", "6to4 relays"),
    _block("192.168.0.0/16", "private", _PRIVATE),
    _block("192.175.48.0/24", "a sink for name servers"),
    _block("198.18.0.0/15", "benchmarking"),
    _block("198.51.100.0/24", "documentation"),
    _block("203.0.113.0/24", "documentation"),
    _block("224.0.0.0/4", "multicast"),
    _block("255.255.255.255/32", "broadcast"),
    _block("240.0.0.0/4", "reserved"),
    _block("::/128", "unspecified"),
    _block("::1/128", "loopback", _LOOPBACK),
    _block("::/96", "IPv4-compatible"),
    _block("::ffff:0:0:0/96", "IPv4-translated"),
    _block("64:ff9b::/96", "NAT64"),
    _block("64:ff9b:1::/48", "NAT64"),
    _block("100::/64", "discard-only"),
    _block("100:0:0:1::/64", "discard-only"),
    _block("2001::/32", "Teredo"),
    _block("2001:2::/48", "benchmarking"),
    _block("2001::/23", "protocol assignments"),
    _block("2001:db8::/32", "documentation"),
    _block("2002::/16", "6to4"),
    _block("2620:4f:8000::/48", "a sink for name servers"),
    _block("3fff::/20", "documentation"),
    _block("5f00::/16", "segment routing"),
    _block("fc00::/7", "private", _PRIVATE),
    _block("fe80::/10", "link-local"),
    _block("fec0::/10", "site-local"),
    _block("ff00::/8", "multicast"),
)
"""The first that contains an address decides."""

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
"""Of IPv6, only this eighth is given out to the internet."""


@lru_cache(maxsize=8192)
def verdict(address: str, *, reach: Reach = Reach.PUBLIC) -> str | None:
    """Why no webhook may be sent to this address, in a word or two; `None` if one may. IPv4 inside IPv6 is judged as IPv4."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return "link-local"
        ip = ip.ipv4_mapped or ip
    for block in BLOCKS:
        if ip.version == block.network.version and ip in block.network:
            return None if reach in block.opened_by else block.name
    return None if ip.version == 4 or ip in _GLOBAL_V6 else "reserved"


def check_url(url: str, *, reach: Reach = Reach.PUBLIC) -> str:
    """The URL as requests will spell it: the host in lower-case ASCII, without the dot of the root; the rest as it was given,
    only that what isn't ASCII is encoded.

    Refuses with `UrlRefused` what isn't http or https, http where only the internet is reached, credentials, a fragment, more
    than `URL_LENGTH_MAX` characters, other protocols' ports, a host that is no name on the internet, and a literal address
    that is denied or written in any other way than the usual one.
    """
    return str(target(url, reach=reach))


@lru_cache(maxsize=8192)
def target(url: str, *, reach: Reach = Reach.PUBLIC) -> URL:
    """`check_url`, as the sender takes it."""
    parsed = _parsed(url)
    _check_scheme(parsed, reach)
    if "#" in url:
        raise UrlRefused("The URL has a fragment (“#…”), which is never sent; leave it out.", Cause.URL_FRAGMENT)
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise UrlRefused(
            "The URL has credentials in it; leave them out, the signature says who sends.", Cause.URL_CREDENTIALS
        )
    _check_port(parsed)
    host = parsed.raw_host or ""
    if ":" in host:
        _check_address(host, reach)
    else:
        host = host.removesuffix(".")
        _check_name(host, reach)
    return _called(parsed.origin().with_host(host), url)


def _called(origin: URL, given: str) -> URL:
    """What follows the host in `given`, at `origin`: all of it as a path, which nobody takes apart and puts together again."""
    found = _AFTER_HOST.search(given)
    rest = _BEYOND_ASCII.sub(lambda match: quote(match[0], safe=""), found["rest"] if found else "")
    authority = str(origin).partition("://")[2]
    path = rest if rest.startswith("/") or not rest else f"/{rest}"
    return URL.build(scheme=origin.scheme, authority=authority, path=path, encoded=True)


def _parsed(url: str) -> URL:
    if len(url) > URL_LENGTH_MAX:
        raise UrlRefused(f"The URL has {len(url)} characters; at most {URL_LENGTH_MAX} are allowed.", Cause.TOO_LONG)
    if any(char.isspace() or char == "\\" or not (char.isprintable() or char in _JOINERS) for char in url):
        raise UrlRefused(
            "The URL has a space, a backslash or a character that can't be printed in it; encode or remove it.",
            Cause.URL_CHARACTERS,
        )
    with suppress(ValueError):  # UnicodeError, for names that IDNA refuses, is one
        parsed = URL(url)
        if parsed.raw_host:
            return parsed
    raise UrlRefused(
        f"{quoted(url)} is no URL with a host; one looks like https://hooks.example.com/earnest.", Cause.NO_URL
    )


def _check_scheme(parsed: URL, reach: Reach) -> None:
    if parsed.scheme == "https" or (parsed.scheme == "http" and reach is not Reach.PUBLIC):
        return
    if parsed.scheme == "http":
        raise UrlRefused(
            "The URL begins with http://; webhooks carry people's words, so it must be https://.", Cause.NO_HTTPS
        )
    raise UrlRefused(f"The URL begins with {quoted(parsed.scheme)}; it must begin with https://.", Cause.NO_HTTPS)


def _check_port(parsed: URL) -> None:
    port = parsed.port
    if port is None or port in PORTS_OF_OTHERS or (port < 1024 and port not in PORTS_BELOW_1024):
        raise UrlRefused(
            f"The URL's port {port} isn't one for webhooks; use 443, or one from 1024 up that no other protocol owns.",
            Cause.URL_PORT,
        )


def _check_name(name: str, reach: Reach) -> None:
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        _check_address(name, reach)
        return
    if len(name) > _NAME_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused(
            f"The URL's host {quoted(name)} is no name that DNS can have; one looks like hooks.example.com.",
            Cause.URL_HOST,
        )
    if labels[-1] == "localhost":
        if reach is Reach.PUBLIC:
            raise UrlRefused(
                "The URL's host is this machine itself (localhost); it must be reachable on the internet.",
                Cause.URL_INSIDE,
            )
    elif len(labels) == 1 and reach is not Reach.PRIVATE:
        raise UrlRefused(
            f"The URL's host {quoted(name)} has no dot; give its full name, such as {name}.example.com.", Cause.URL_HOST
        )


def _check_address(host: str, reach: Reach) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise UrlRefused(
            f"The URL's host {quoted(host)} ends in a number but isn't an address as they are usually written: "
            "four decimal numbers from 0 to 255, with dots between them.",
            Cause.URL_HOST,
        ) from None
    denied = verdict(host, reach=reach)
    if denied is not None:
        raise UrlRefused(
            f"The URL's host {quoted(host)} is {denied}; it must be an address on the internet.", Cause.URL_INSIDE
        )
