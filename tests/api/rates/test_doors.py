"""What is asked of whoever has nothing left, and what a wrong key costs, at each door."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from api import calendars
from api.app import create_app
from api.lately import Lately
from api.live.closing import Code
from api.live.door import Door
from api.rates.budgets import WRONG_KEY, Rates, Spending
from api.tolls import is_free
from escrow import calendars as calendar_tokens
from escrow import database
from escrow.accounts import authentication, tokens
from escrow.payments.results import NoticeRefused
from escrow.payments.sandbox import Sandbox
from escrow.settings import PaymentProvider, Settings
from schema.engine import costs
from schema.engine.limits import COST_MAX
from tests.api.client import People, with_key
from tests.api.live.serving import Served, serve, until
from tests.api.live.socket import PROTOCOL, Socket
from tests.factories import SECRET_KEY

ADDRESS = "192.0.2.7"
SMALL = orjson.dumps({"query": "{ viewer { role } }"})


def _app(points_per_second: float = 0.001, *, metrics_token: str | None = None) -> Any:
    """The application with a rate that restores next to nothing while a test lasts."""
    settings = Settings(
        database_url="",
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=True,
        payment_provider=PaymentProvider.SANDBOX,
        points_per_second=points_per_second,
        metrics_token=metrics_token,
    )
    return create_app(settings)


def _emptied(rates: Rates, address: str = ADDRESS) -> None:
    """Let the address use up what it has."""
    budget = rates.budget(None, address)
    assert budget is not None
    budget.charge(COST_MAX)


class Request:
    """A request over HTTP whose body is counted when it is read."""

    def __init__(self, app: Any, token: str | None = None, body: bytes = SMALL) -> None:
        self._app, self._body = app, body
        self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if token is not None:
            self._headers.append((b"authorization", b"Bearer " + token.encode()))
        self.read = 0
        self.said: list[Any] = []

    async def status(self) -> int:
        scope = {
            "type": "http", "method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"",
            "headers": self._headers, "client": (ADDRESS, 4711), "server": ("earnest.test", 80), "scheme": "http",
            "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        await self._app(scope, self._receive, self._send)
        status: int = self.said[0]["status"]
        return status

    async def _receive(self) -> dict[str, Any]:
        self.read += 1
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Any) -> None:
        self.said.append(message)


async def test_whoever_has_nothing_left_is_told_so_before_the_body_is_read() -> None:
    app = _app()
    first = Request(app)
    assert (await first.status(), first.read) == (200, 1)
    _emptied(app.state.door.rates)
    refused = Request(app)
    assert (await refused.status(), refused.read) == (429, 0)
    told = orjson.loads(refused.said[1]["body"])
    assert told["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert told["extensions"]["cost"]["available"] < costs.OPERATION
    assert int(dict(refused.said[0]["headers"])[b"retry-after"]) >= 1


async def test_a_long_body_is_paid_for_before_it_is_read(people: People) -> None:
    app = _app()
    short = Request(app, people.client.token)
    long = Request(
        app, people.client.token, orjson.dumps({"query": "{ viewer { role } }", "variables": {"x": "y" * 90_000}})
    )
    asked = []
    for one in (short, long):
        assert await one.status() == 200
        asked.append(orjson.loads(one.said[1]["body"])["extensions"]["cost"]["requested"])
    reading = costs.of_reading("{ viewer { role } }")
    assert asked[1] - (asked[0] - reading) == 90_000 // costs.BYTES_A_POINT


async def test_all_keys_of_an_account_share_one_bucket(people: People) -> None:
    rates = _app().state.door.rates
    deployment = people.deployment
    keys = [await with_key(people.client.http, deployment.client, deployment.operator) for _ in range(2)]
    door = Door(runner=_app().state.door.runner, rates=rates)
    spent = []
    for key in (*keys, people.freelancer):
        actor = await door.actor(f"Bearer {key.token}", ADDRESS)
        budget = rates.budget(actor, ADDRESS)
        assert budget is not None
        spent.append(budget.lacks(COST_MAX))
        await budget.spend(100)
    assert spent == [False, True, False]


async def test_refusals_are_paced_wherever_they_are_told(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app()
    paused: list[str] = []

    async def pause(client: str) -> None:
        paused.append(client)

    monkeypatch.setattr(app.state.door.rates, "pause", pause)
    assert await Request(app).status() == 200
    assert paused == []
    _emptied(app.state.door.rates)
    assert await Request(app).status() == 429
    assert await Request(app, tokens.new().text).status() == 429
    assert paused == [ADDRESS] * 3  # the wrong key before it was looked up, and before it was told
    assert await Request(app, people.client.token).status() == 200


async def test_an_address_that_tried_too_many_keys_waits_before_another_is_looked_up(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app()
    happened: list[str] = []
    find = authentication.find

    async def pause(client: str) -> None:
        happened.append("waited")

    async def found(token: tokens.Token) -> Any:
        happened.append("looked up")
        return await find(token)

    monkeypatch.setattr(app.state.door.rates, "pause", pause)
    monkeypatch.setattr(authentication, "find", found)
    app.state.door.authentication.keys.forget()
    assert await Request(app, people.client.token).status() == 200
    _emptied(app.state.door.rates)
    app.state.door.authentication.keys.forget()
    happened.clear()
    assert await Request(app, people.client.token).status() == 200
    assert happened == ["looked up"]  # it was right before
    assert await Request(app, people.freelancer.token).status() == 200
    assert happened == ["looked up", "waited", "looked up"]


async def _wrong(served: Served) -> tuple[int, str]:
    """What a socket is told that shows a wrong key."""
    async with connect(served.socket_url, subprotocols=[PROTOCOL], ping_interval=None) as connection:
        socket = Socket(connection)
        await socket.say(type="connection_init", payload={"authorization": f"Bearer {tokens.new().text}"})
        return await socket.closed()


async def test_a_wrong_key_over_a_socket_is_paid_for_like_one_over_http(database: str, redis_url: str) -> None:
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = rates = Rates(0.001)
        budget = rates.budget(None, "127.0.0.1")
        assert budget is not None
        await budget.spend(10)
        assert not budget.lacks(COST_MAX - WRONG_KEY)
        assert (await _wrong(served))[0] == Code.FORBIDDEN
        assert budget.lacks(COST_MAX - WRONG_KEY)
        await budget.spend(COST_MAX - 3 * WRONG_KEY)
        code, said = await _wrong(served)
        assert code == Code.TOO_MANY
        assert "wrong keys" in said


async def test_an_operation_over_a_socket_is_refused_when_nothing_is_left(database: str, redis_url: str) -> None:
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = Rates(0.001)
        _emptied(served.door.rates, "127.0.0.1")
        async with connect(served.socket_url, subprotocols=[PROTOCOL], ping_interval=None) as connection:
            socket = Socket(connection)
            await socket.init(None)
            await socket.subscribe("{ viewer { role } }")
            said = await socket.hear()
    assert said["type"] == "error"
    assert said["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_body_that_was_not_read_leaves_the_connection_of_use(database: str, redis_url: str) -> None:
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = Rates(0.001)
        _emptied(served.door.rates, "127.0.0.1")
        body = orjson.dumps({"query": "{ viewer { role } }", "variables": {"x": "y" * 60_000}})
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=1)) as http:
            for _ in range(3):
                answer = await http.post(served.url, content=body, headers={"content-type": "application/json"})
                assert answer.status_code == 429
            served.door.rates = Rates(None)
            assert (
                await http.post(served.url, content=body, headers={"content-type": "application/json"})
            ).status_code == 200


class Page:
    """A request for a page beside GraphQL."""

    def __init__(
        self, app: Any, path: str, *, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self._app, self._scope = app, {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": list(headers), "client": (ADDRESS, 4711), "server": ("earnest.test", 80), "scheme": "http",
            "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        self.said: list[Any] = []

    async def status(self) -> int:
        await self._app(dict(self._scope), self._receive, self._send)
        status: int = self.said[0]["status"]
        return status

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.said.append(message)


def _left(app: Any, address: str = ADDRESS) -> int:
    """What the address has at least."""
    rates: Rates = app.state.door.rates
    budget = rates.budget(None, address)
    assert budget is not None
    return COST_MAX - round(budget._allowances.missing(budget.client, COST_MAX, budget._rate))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/about",
        "/console",
        "/console/earnest.js",
        "/explorer/react.js",
        "/schema.graphql",
        "/events.schema.json",
        "/asyncapi.json",
        "/.well-known/webhook-keys",
        "/nothing",
        "/graphql/x",
    ],
)
async def test_each_page_is_paid_for_by_the_address_and_refused_where_nothing_is_left(
    people: People, path: str
) -> None:
    app = _app()
    assert await Page(app, path).status() in (200, 307, 404)
    assert _left(app) == COST_MAX - costs.OPERATION
    _emptied(app.state.door.rates)
    refused = Page(app, path)
    assert await refused.status() == 429
    assert int(dict(refused.said[0]["headers"])[b"retry-after"]) >= 1


async def test_a_handshake_where_no_socket_is_served_is_paid_for_too(database: str, redis_url: str) -> None:
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = rates = Rates(0.001)
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{served.port}/elsewhere", subprotocols=[PROTOCOL]):
                pass
        budget = rates.budget(None, "127.0.0.1")
        assert budget is not None
        assert budget.lacks(COST_MAX - costs.OPERATION + 1)


async def test_every_route_is_paid_for_or_known_to_be_free() -> None:
    app = _app()
    free = {path for path in (one.path for one in app.routes) if is_free(path)}
    known = {
        "/healthz",
        "/readyz",
        "/metrics",
        "/providers/{name}",
        "/couplings/{name}",
        "/calendar/{token}.ics",
        "/docs",
        "/docs/{rest:path}",
    }
    assert free == known


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_what_says_whether_the_process_lives_is_answered_whoever_asks(people: People, path: str) -> None:
    app = _app()
    _emptied(app.state.door.rates)
    for _ in range(50):
        assert await Page(app, path).status() == 200


async def test_whether_it_is_ready_is_found_out_once_for_all_who_ask_at_once(people: People) -> None:
    app = _app()
    with database.counting() as statements:
        assert await Page(app, "/readyz").status() == 200
    once = len(statements)
    assert once > 0
    app.state.door.readiness = Lately(60.0)
    with database.counting() as statements:
        pages = [Page(app, "/readyz") for _ in range(50)]
        assert set(await asyncio.gather(*(page.status() for page in pages))) == {200}
    assert len(statements) == once


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/providers/nobody"),
        ("POST", "/providers/sandbox"),
        ("POST", "/couplings/nobody"),
        ("GET", "/metrics"),
    ],
)
async def test_whoever_shows_nothing_that_is_right_pays_as_for_a_wrong_key_and_at_its_pace(
    people: People, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    app = _app(metrics_token="what-a-scraper-shows")
    paused: list[str] = []

    async def pause(client: str) -> None:
        paused.append(client)

    def refused(*_: Any) -> Any:
        raise NoticeRefused

    monkeypatch.setattr(app.state.door.rates, "pause", pause)
    monkeypatch.setattr(Sandbox, "notice", refused)
    assert await Page(app, path, method=method).status() in (401, 404)
    assert _left(app) == COST_MAX - WRONG_KEY
    assert paused == [ADDRESS]
    _emptied(app.state.door.rates)
    assert await Page(app, path, method=method).status() == 429


async def test_a_calendar_is_paid_for_by_its_account_and_a_token_that_is_none_by_the_address(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    await deal.submit()
    path = (await people.client.done("createCalendarToken", {}, "path"))["path"]
    app = _app()
    paused: list[str] = []

    async def pause(client: str) -> None:
        paused.append(client)

    monkeypatch.setattr(app.state.door.rates, "pause", pause)
    account = await app.state.door.actor(f"Bearer {people.client.token}", ADDRESS)
    budget = app.state.door.rates.budget(account, ADDRESS)
    assert await Page(app, path).status() == 200
    assert budget.lacks(budget._rate.capacity - calendars.ASKED)
    assert not budget.lacks(budget._rate.capacity - calendars.ASKED - 3 * calendars.ENTRY - 2 * calendars.MILESTONE)
    assert _left(app) == COST_MAX
    assert await Page(app, "/calendar/cal_nobodys.ics").status() == 404
    assert (_left(app), paused) == (COST_MAX - WRONG_KEY, [ADDRESS])
    budget.charge(budget._rate.capacity)
    assert await Page(app, path).status() == 429
    assert paused == [ADDRESS, people.client.account_id]
    _emptied(app.state.door.rates)
    assert await Page(app, "/calendar/cal_nobodys.ics").status() == 429
    assert await Page(app, (await people.freelancer.done("createCalendarToken", {}, "path"))["path"]).status() == 200


async def test_an_accounts_own_rate_holds_for_its_calendar_too(people: People) -> None:
    await people.operator.done("setRate", {"accountId": people.client.account_id, "pointsPerSecond": 777}, "__typename")
    path = (await people.client.done("createCalendarToken", {}, "token"))["token"]
    reader = await calendar_tokens.reader_of(path)
    assert reader is not None
    assert reader.points_per_second == 777


async def test_a_message_over_a_socket_costs_whatever_it_says_and_a_handshake_too(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = rates = Rates(0.001)
        budget = rates.budget(None, "127.0.0.1")
        assert budget is not None
        async with connect(served.socket_url, subprotocols=[PROTOCOL], ping_interval=None) as connection:
            socket = Socket(connection)
            await socket.init(None)
            for _ in range(10):
                await socket.say(type="ping")
                assert (await socket.hear())["type"] == "pong"
            used = costs.OPERATION + 11 * costs.MESSAGE + costs.SUBSCRIBED
            assert budget.lacks(COST_MAX - used + 1)
            assert not budget.lacks(COST_MAX - used - 1)
            paused: list[str] = []

            async def pause(client: str) -> None:
                paused.append(client)

            monkeypatch.setattr(rates, "pause", pause)
            _emptied(rates, "127.0.0.1")
            await socket.say(type="ping")
            assert (await socket.hear())["type"] == "pong"
            assert paused == ["127.0.0.1"]


@pytest.mark.parametrize("has_key", [True, False])
async def test_whoever_is_hung_up_on_for_frames_that_say_nothing_pays_for_their_reading(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    monkeypatch.setattr("api.live.wire.HANG_UP_SECONDS", 0.01)
    charged: list[tuple[str, float]] = []
    charge = Spending.charge

    def charging(budget: Spending, points: float) -> None:
        charged.append((budget.client, points))
        charge(budget, points)

    monkeypatch.setattr(Spending, "charge", charging)
    async with serve(redis_url, sequencing=False) as served:
        served.door.rates = Rates(0.001)
        client = served.people.client
        async with connect(served.socket_url, subprotocols=[PROTOCOL], ping_interval=None) as connection:
            socket = Socket(connection)
            await socket.init(client.token if has_key else None)
            connection.transport.write(Frame(Opcode.PING, b"").serialize(mask=True) * 1_000)
            assert (await socket.closed())[0] == 1008
        await until(lambda: ((client.account_id if has_key else "127.0.0.1"), costs.HUNG_UP) in charged)


async def test_of_a_body_whose_length_nobody_announced_more_is_paid_for_as_it_comes(people: People) -> None:
    app = _app()
    body = orjson.dumps({"query": "{ viewer { role } }", "variables": {"x": "y" * 300_000}})
    told = []
    for announced in (True, False):
        request = Request(app, people.client.token, body)
        if not announced:
            request._headers = [one for one in request._headers if one[0] != b"content-length"]
        assert await request.status() == 200
        told.append(orjson.loads(request.said[1]["body"])["extensions"]["cost"]["requested"])
    assert told[1] > len(body) // costs.BYTES_A_POINT * 3 // 4
    assert told[1] < 1.5 * told[0]
