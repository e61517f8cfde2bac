"""What is said of an identity provider's keys: a server plays what is wrong, one thing each."""

from __future__ import annotations

import json

import pytest

from earnest.doctor import identity_provider
from earnest.doctor.findings import Grade
from tests.api.identity import Provider
from tests.earnest.doctor.test_addresses import THEIRS, answering, one, settings
from tests.earnest.running import free_port
from tests.escrow.test_settings import IDENTITY


def answer_of(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)


def keys(*published: dict[str, object]) -> bytes:
    return answer_of(json.dumps({"keys": published}).encode())


async def test_a_deployment_without_one_has_nothing_to_look_at() -> None:
    assert await identity_provider.look(settings()) == []


async def test_keys_that_check_tokens_are_fine() -> None:
    async with answering(keys(*Provider().keys)) as port:
        there = settings(**IDENTITY | {"EARNEST_JWKS_URL": f"http://127.0.0.1:{port}/jwks"})
        found = one(await identity_provider.look(there), Grade.FINE)
    assert found.what == "its keys can be read; 7 can check tokens"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (keys(), "there is no key"),
        (keys({"kty": "oct", "kid": "shared", "k": "aGk"}), "there is no key"),
        (answer_of(b"<html>"), "can't be read"),
        (THEIRS, "can't be read"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "answered with 404"),
    ],
    ids=["none", "shared", "page", "words", "404"],
)
async def test_an_address_without_keys_is_told_before_the_first_token_fails(answer: bytes, says: str) -> None:
    async with answering(answer) as port:
        there = settings(**IDENTITY | {"EARNEST_JWKS_URL": f"http://127.0.0.1:{port}/jwks"})
        found = one(await identity_provider.look(there), Grade.WRONG)
    assert says in found.what
    assert "EARNEST_JWKS_URL" in found.remedy


async def test_an_address_that_nobody_answers() -> None:
    there = settings(**IDENTITY | {"EARNEST_JWKS_URL": f"http://127.0.0.1:{free_port()}/jwks"})
    assert "no token is taken" in one(await identity_provider.look(there), Grade.WRONG).what
