"""Sends a signed webhook to itself, by what sends webhooks, and checks it as a receiver does."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import ssl
import time
from pathlib import Path
from typing import Final

from earnest.doctor.findings import Finding, fine, odd, wrong
from escrow import vault
from escrow.settings import Reach, Settings
from webhooks.request.sender import Sender
from webhooks.request.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, HmacKey, sign

SUBJECT: Final = "webhooks"
BODY: Final = b'{"type":"doctor"}'
MESSAGE_ID: Final = "doctor"
ANSWER: Final = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
HEAD_SECONDS: Final = 10.0


async def look(settings: Settings) -> list[Finding]:
    """Whether a webhook leaves, arrives whole and verifies; and whether certificates of others can be checked."""
    return [await _sent_to_itself(settings), *_of_certificates()]


async def _sent_to_itself(settings: Settings) -> Finding:
    secret = _through_the_vault(settings)
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                received.put_nowait(head + await reader.readexactly(len(BODY)))
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server, Sender(reach=Reach.LOOPBACK) as sender:
        place = server.sockets[0].getsockname()[1]
        headers = sign([HmacKey(secret)], message_id=MESSAGE_ID, timestamp=int(time.time()), body=BODY)
        answer = await sender.post(url=f"http://127.0.0.1:{place}/", headers=headers, body=BODY)
    if answer.error is not None or answer.status != 204:
        remedy = "see whether a local firewall or proxy keeps this machine from connecting to itself"
        return wrong(SUBJECT, f"one to this machine itself didn't arrive ({answer.error or answer.status})", remedy)
    if not _verifies(received.get_nowait(), secret):
        return wrong(
            SUBJECT, "one to this machine itself doesn't verify", "something between changes requests: look for a proxy"
        )
    return fine(SUBJECT, "one to itself was sent, received and verified")


def _through_the_vault(settings: Settings) -> bytes:
    """A secret as the database would give it back."""
    box = vault.Vault(settings.secret_keys)
    return box.decrypt(box.encrypt(secrets.token_bytes(24), purpose=MESSAGE_ID), purpose=MESSAGE_ID)


def _verifies(request: bytes, secret: bytes) -> bool:
    """By the headers as they came."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    content = f"{headers.get(ID_HEADER)}.{headers.get(TIMESTAMP_HEADER)}.".encode() + body
    return hmac.compare_digest(HmacKey(secret).signature(content), headers.get(SIGNATURE_HEADER, ""))


def _of_certificates() -> list[Finding]:
    """Whether there are authorities by which receivers' certificates are checked; without any, no webhook arrives by https."""
    paths = ssl.get_default_verify_paths()
    has_file = bool(paths.cafile) and Path(paths.cafile).stat().st_size > 0
    has_folder = bool(paths.capath) and any(Path(paths.capath).iterdir())
    if has_file or has_folder:
        return []
    remedy = "install ca-certificates; or unset SSL_CERT_FILE and SSL_CERT_DIR, or let them name what is there"
    return [wrong(SUBJECT, "there is no authority to check receivers' certificates by", remedy)]


def reach(settings: Settings) -> list[Finding]:
    """Whether webhooks may go where nobody's should where money is real."""
    if settings.sandbox or settings.webhook_reach is Reach.PUBLIC:
        return []
    said = f"EARNEST_WEBHOOK_ALLOW_PRIVATE={settings.webhook_reach} lets partners' webhooks reach into your network"
    return [odd(SUBJECT, said, "set it to off unless all receivers are your own")]
