"""How clients of the field show their key when they open a WebSocket, and that none who shows one is taken for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from api.live.introductions import Misunderstood, authorization_of
from tests.api.live.serving import Served
from tests.api.live.socket import connected

KEY = "Bearer ek_1"


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": KEY},
        {"Authorization": KEY},
        {"AUTHORIZATION": KEY, "sessionId": "somebody's own"},
        {"headers": {"Authorization": KEY}},
        {"headers": {"authorization": KEY, "x-hasura-role": "user"}},
        {"Headers": {"AUTHORIZATION": f" {KEY} "}},
        {"authorization": KEY, "headers": {"Authorization": KEY}},
        {"authorization": None, "headers": {"Authorization": KEY}},
    ],
)
def test_the_key_is_found_wherever_clients_of_the_field_put_it(payload: dict[str, Any]) -> None:
    assert authorization_of(payload) == KEY


@pytest.mark.parametrize(
    "payload",
    [{}, {"authorization": None}, {"headers": None}, {"headers": {}}, {"client": {"name": "web", "version": 3}}],
)
def test_who_shows_nothing_is_nobody(payload: dict[str, Any]) -> None:
    assert authorization_of(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": 1},
        {"headers": {"authorization": ["Bearer ek_1"]}},
        {"headers": "Bearer ek_1"},
        {"headers": [["authorization", KEY]]},
        {"authToken": "ek_1"},
        {"token": "x"},
        {"access_token": "x"},
        {"apiKey": "x"},
        {"x-api-key": "x"},
        {"headers": {"x-hasura-admin-secret": "x"}},
        {"context": {"headers": {"authorization": KEY}}},
        {"whatever": KEY},
        {"whatever": "ek_1"},
        {"authorization": KEY, "headers": {"authorization": "Bearer ek_2"}},
    ],
)
def test_credentials_that_are_not_understood_are_refused_in_words_that_fit_a_close_frame(
    payload: dict[str, Any],
) -> None:
    with pytest.raises(Misunderstood) as refused:
        authorization_of(payload)
    assert len(f"Invalid message: {refused.value}".encode()) <= 123


async def test_a_socket_is_opened_by_each_spelling_and_closed_to_what_is_not_understood(served: Served) -> None:
    client = served.people.client
    for payload in (
        {"headers": {"Authorization": f"Bearer {client.token}"}},
        {"Authorization": f"bearer {client.token}"},
    ):
        async with connected(served, init=False) as socket:
            await socket.say(type="connection_init", payload=payload)
            assert await socket.hear() == {"type": "connection_ack"}
            await socket.subscribe("{ viewer { accountId } }")
            assert await socket.data() == {"viewer": {"accountId": client.account_id}}
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"authToken": client.token})
        assert await socket.closed() == (
            4400,
            "Invalid message: `authToken` is not understood; send `authorization`: “Bearer ek_…”.",
        )
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"headers": {"Authorization": ""}})
        assert (await socket.closed())[0] == 4403
