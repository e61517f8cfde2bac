"""What is said of the port, of the public address and of the payment provider: servers play what is wrong, one thing each."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from earnest.doctor import addresses, money_provider, own_webhook
from earnest.doctor.findings import Finding, Grade
from escrow.settings import Settings
from tests.earnest.running import free_port
from tests.escrow.test_settings import MINIMAL

OURS = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{"status":"ok"}'
THEIRS = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
REFUSAL = b'{"error":{"type":"invalid_request_error","message":"no such key"}}'
UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(REFUSAL), REFUSAL)
)


@asynccontextmanager
async def answering(answer: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says this to everybody; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


def settings(**variables: str) -> Settings:
    return Settings.from_environment(MINIMAL | variables)


def real(settings: Settings) -> Settings:
    """The same where money is real."""
    return replace(settings, sandbox=False)


def one(found: list[Finding], grade: Grade) -> Finding:
    (only,) = found
    assert only.grade is grade, only
    assert bool(only.remedy) == (grade is not Grade.FINE)
    return only


async def test_a_port_that_is_free_or_ours_is_fine() -> None:
    assert "is free" in one(await addresses.port(settings(PORT=str(free_port()))), Grade.FINE).what
    async with answering(OURS) as port:
        assert "answers" in one(await addresses.port(settings(PORT=str(port))), Grade.FINE).what


@pytest.mark.parametrize("answer", [THEIRS, b"SSH-2.0-OpenSSH_9.2\r\n", b""])
async def test_a_port_that_somebody_else_has(answer: bytes) -> None:
    async with answering(answer) as port:
        found = one(await addresses.port(settings(PORT=str(port))), Grade.WRONG)
    assert f"127.0.0.1:{port}" in found.what
    assert "PORT" in found.remedy


async def test_an_address_to_listen_on_that_is_another_machines_is_told_without_asking_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "_heard", lambda _: pytest.fail("asked there"))
    found = one(await addresses.port(settings(EARNEST_HOST="192.0.2.1", PORT="8000")), Grade.WRONG)
    assert "can't listen at 192.0.2.1:8000" in found.what


def test_figures_that_nobody_may_read_are_odd_where_money_is_real() -> None:
    assert addresses.figures(settings()) == []
    assert addresses.figures(real(settings(EARNEST_METRICS_TOKEN="0123456789abcdef"))) == []
    found = one(addresses.figures(real(settings(EARNEST_METRICS_PORT="9090"))), Grade.ODD)
    assert "EARNEST_METRICS_TOKEN is not set: nobody may read /metrics, nor the worker's at 9090" in found.what


async def test_no_public_address_is_odd_where_money_is_real() -> None:
    one(await addresses.public(settings()), Grade.FINE)
    assert "EARNEST_PUBLIC_URL" in one(await addresses.public(real(settings())), Grade.ODD).what


async def test_a_public_address_that_nobody_answers() -> None:
    found = one(await addresses.public(settings(EARNEST_PUBLIC_URL=f"http://127.0.0.1:{free_port()}")), Grade.WRONG)
    assert "doesn't answer" in found.what


async def test_a_public_address_that_leads_elsewhere_or_is_in_the_clear() -> None:
    async with answering(THEIRS) as port:
        found = one(await addresses.public(settings(EARNEST_PUBLIC_URL=f"http://127.0.0.1:{port}")), Grade.WRONG)
        assert "not Earnest" in found.what
    async with answering(OURS) as port:
        there = settings(EARNEST_PUBLIC_URL=f"http://127.0.0.1:{port}")
        one(await addresses.public(there), Grade.FINE)
        assert "in the clear" in one(await addresses.public(real(there)), Grade.WRONG).what


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path / "own.pem"))
    async with answering(OURS, tls=tls) as port:
        found = one(await addresses.public(settings(EARNEST_PUBLIC_URL=f"https://localhost:{port}")), Grade.WRONG)
    assert "Certificate" in found.what


def self_signed(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    with path.open("ab") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def stripe(port: int, *, key: str = "rk_live_hunter2") -> Settings:
    return settings(
        EARNEST_SANDBOX="off",
        EARNEST_PAYMENT_PROVIDER="stripe",
        EARNEST_STRIPE_KEY=key,
        EARNEST_STRIPE_WEBHOOK_SECRET="whsec_1",
        EARNEST_STRIPE_RETURN_URL="https://app.example.com",
        EARNEST_STRIPE_URL=f"http://127.0.0.1:{port}",
    )


async def test_the_sandbox_as_provider_is_fine() -> None:
    one(await money_provider.look(settings()), Grade.FINE)


async def test_a_provider_that_is_away_or_refuses_our_key() -> None:
    away = one(await money_provider.look(stripe(free_port())), Grade.WRONG)
    async with answering(UNAUTHORIZED) as port:
        refusing = one(await money_provider.look(stripe(port)), Grade.WRONG)
    for found in (away, refusing):
        assert "stripe doesn't answer us" in found.what
        assert "hunter2" not in str(found)


async def test_a_key_for_testing_where_money_is_real() -> None:
    _, key = await money_provider.look(stripe(free_port(), key="rk_test_1"))
    assert (key.grade, "no money moves" in key.what) == (Grade.ODD, True)


async def test_a_webhook_to_itself_arrives_and_verifies() -> None:
    assert [finding.grade for finding in await own_webhook.look(settings())] == [Grade.FINE]


async def test_a_machine_without_authorities_can_send_none_by_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
    arrived, authorities = await own_webhook.look(settings())
    assert (arrived.grade, authorities.grade) == (Grade.FINE, Grade.WRONG)
    assert "ca-certificates" in authorities.remedy
