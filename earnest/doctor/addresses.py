"""Looks at where people reach the deployment: the port of a web process here, and the public address."""

from __future__ import annotations

import errno
import socket
from typing import Final

import aiohttp

from earnest.doctor.findings import Finding, fine, in_a_line, odd, wrong
from escrow.settings import Settings

ANSWER_SECONDS: Final = 5.0
IS_ALIVE: Final = {"status": "ok"}
"""What our `/healthz` says."""


async def port(settings: Settings) -> list[Finding]:
    """Whether a web process answers at its port, or could. Nobody is asked at an address that isn't this machine's."""
    place = f"{settings.host}:{settings.port}"
    refused = _cant_listen(settings)
    if refused is not None and refused.errno == errno.EADDRNOTAVAIL:
        return [_taken(place, refused)]
    heard = await _heard(f"{settings.local_url}/healthz")
    if heard == IS_ALIVE:
        return [fine("port", f"a web process answers at {place}")]
    if not isinstance(heard, Exception):
        return [
            wrong("port", f"something at {place} answers that is not Earnest", "stop it, or set PORT to another one")
        ]
    if refused is not None:
        return [_taken(place, refused)]
    return [fine("port", f"{place} is free for a web process; none runs here now")]


def _cant_listen(settings: Settings) -> OSError | None:
    """Why nobody could listen there now; `None` if somebody could."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return error
    return None


def _taken(place: str, refused: OSError) -> Finding:
    remedy = "set PORT to one above 1023 that is free, and EARNEST_HOST to an address of this machine (0.0.0.0 for all)"
    return wrong("port", f"a web process can't listen at {place} ({refused.strerror})", remedy)


async def public(settings: Settings) -> list[Finding]:
    """Whether the deployment is reached at the address that it gives to others."""
    url = settings.public_url
    if url is None:
        if settings.sandbox:
            return [fine("address", "no public one, in a sandbox")]
        return [
            odd(
                "address",
                "EARNEST_PUBLIC_URL is not set: links in errors are paths",
                "set it to where the deployment is reached",
            )
        ]
    heard = await _heard(f"{url}/healthz")
    if isinstance(heard, Exception):
        remedy = (
            "see whether the name leads to the proxy, the proxy to a web process, and whether the certificate is right"
        )
        return [wrong("address", f"{url} doesn't answer ({in_a_line(heard)})", remedy)]
    if heard != IS_ALIVE:
        remedy = "let the proxy pass every path to a web process; or set EARNEST_PUBLIC_URL to where it does"
        return [wrong("address", f"{url}/healthz is answered by something that is not Earnest", remedy)]
    if url.startswith("http://") and not settings.sandbox:
        return [
            wrong(
                "address",
                f"{url} is in the clear: keys and sessions can be read on the way",
                "put a proxy with TLS before it",
            )
        ]
    return [fine("address", f"{url} answers")]


def figures(settings: Settings) -> list[Finding]:
    """Whether anybody may read the figures that alerts are made of."""
    if settings.sandbox or settings.metrics_token is not None:
        return []
    shown = "/metrics" if settings.metrics_port is None else f"/metrics, nor the worker's at {settings.metrics_port}"
    return [
        odd(
            "metrics",
            f"EARNEST_METRICS_TOKEN is not set: nobody may read {shown}, so no alert can fire",
            "set it to 16 random characters or more, and give it to the scraper",
        )
    ]


async def _heard(url: str) -> object:
    """The JSON that is there, `None` for anything else, or the error in its place."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return await answer.json(content_type=None) if answer.status == 200 else None
    except (aiohttp.ClientConnectionError, TimeoutError) as error:
        return error
    except (aiohttp.ClientError, ValueError):
        return None
