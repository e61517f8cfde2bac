"""What a browser gets at the API's address: the explorer if all of it is there as it was pinned, else operations that run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api.console import pinned, policies
from api.console.pinned import PinnedFile
from api.console.showing import Console
from api.graphql_over_http import GraphQLEndpoint
from api.live.door import Door
from api.manual.site import Manual
from api.rates.budgets import Rates
from schema.build import executable
from schema.engine.execution import Runner
from tests.api.client import People, door
from tests.api.console.modules import HOME, text_of
from tests.api.console.test_showing import policy_of
from tests.api.manual.pages import Page, obeyed
from tests.api.manual.test_site import BROWSER

BODIES = {"react.js": b"react", "react-dom.js": b"dom", "graphiql.js": b"graphiql", "graphiql.css": b"body {}"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files that are pinned in place of the real ones, which nobody has without fetching them."""
    files = tuple(
        PinnedFile(name=name, package="none@1.0.0", path=name, sha256=hashlib.sha256(body).hexdigest())
        for name, body in BODIES.items()
    )
    monkeypatch.setattr(pinned, "files", lambda: files)
    for name, body in BODIES.items():
        (tmp_path / name).write_bytes(body)
    return tmp_path


@asynccontextmanager
async def _serving(folder: Path, *, explores: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    keeper = Door(runner=Runner(executable()))
    keeper.rates = Rates(None)
    console = Console(explores=explores, fetched=folder)
    manual = Manual(keeper, executable, explorer=console.explorer if explores else None)
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(keeper, page=manual.at_graphql)),
            Route("/explorer/{name:path}", console.explorers_file),
            Route("/console/{name:path}", console.module),
        ]
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as client:
        yield client


async def test_with_all_files_a_browser_gets_the_explorer(folder: Path) -> None:
    async with _serving(folder) as http:
        answer = await http.get("/graphql", headers={"accept": BROWSER})
        page = Page.of(answer.text)
        loaded = [one["src"] for one in page.all("script")] + [one["href"] for one in page.all("link")]
        for address in loaded:
            assert address == "data:," or (await http.get(address, follow_redirects=True)).status_code == 200
    assert (answer.status_code, page.faults) == (200, [])
    assert {f"/explorer/{name}" for name in BODIES} <= set(loaded)
    assert answer.headers["vary"] == "Accept-Encoding, Accept"


async def test_its_policy_allows_its_fonts_and_one_style_by_its_hash(folder: Path) -> None:
    async with _serving(folder) as http:
        answer = await http.get("/graphql", headers={"accept": BROWSER})
    policy = policy_of(answer)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert policy["font-src"] == "data:"
    assert {name: policy[name] for name in ("default-src", "script-src", "connect-src")} == {
        "default-src": "'none'", "script-src": "'self'", "connect-src": "'self'",
    }  # fmt: skip
    assert base64.b64decode(policy["style-src"].partition("sha256-")[2].rstrip("'"), validate=True)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("harm", ["changed", "missing", "longer"])
async def test_a_file_that_is_not_the_pinned_one_is_not_served_and_neither_is_the_explorer(
    folder: Path, name: str, harm: str
) -> None:
    file = folder / name
    async with _serving(folder) as http:
        assert (await http.get(f"/explorer/{name}")).content == BODIES[name]
        if harm == "missing":
            file.unlink()
        else:
            file.write_bytes(BODIES[name] + b" " if harm == "longer" else BODIES[name][:-1] + b"!")
            later = file.stat().st_mtime_ns + 10**9  # a clock of files may stand still for some milliseconds
            os.utime(file, ns=(later, later))
        answer = await http.get(f"/explorer/{name}")
        page = await http.get("/graphql", headers={"accept": BROWSER})
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert '"/explorer/' not in page.text
    assert "make explorer" in page.text


async def test_nothing_else_of_its_folder_is_served(folder: Path) -> None:
    (folder / "other.js").write_text("other")
    async with _serving(folder) as http:
        for name in ("other.js", "../app.py", "react.js/", "REACT.js", ".react.js"):
            assert (await http.get(f"/explorer/{name}")).status_code == 404


async def test_without_an_explorer_its_files_are_not_served_and_operations_do_not_run(folder: Path) -> None:
    async with _serving(folder, explores=False) as http:
        page = await http.get("/graphql", headers={"accept": BROWSER})
        file = await http.get("/explorer/react.js")
    assert file.status_code == 404
    assert obeyed(Page.of(page.text)) == []
    assert "script-src" not in page.headers["content-security-policy"]


async def test_where_none_was_fetched_our_page_says_how_and_lets_each_operation_run(tmp_path: Path) -> None:
    async with _serving(tmp_path) as http:
        answer = await http.get("/graphql", headers={"accept": BROWSER})
        page = Page.of(answer.text)
        (script,) = page.all("script")
        assert (await http.get(script["src"], follow_redirects=True)).status_code == 200
    assert script == {"type": "module", "src": "/console/explorer/operations.js"}
    assert "make explorer" in page.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    policy = policy_of(answer)
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == policy["form-action"] == "'self'"


@pytest.mark.parametrize(("sandbox", "explorer"), [(False, False), (True, True)])
async def test_a_deployment_has_what_it_says(sandbox: bool, explorer: bool) -> None:
    async with door(sandbox=sandbox, explorer=explorer) as http:
        page = await http.get("/graphql", headers={"accept": BROWSER})
    assert ("<script" in page.text) is explorer


async def test_the_script_of_our_page_asks_what_the_key_may_see(people: People) -> None:
    """It puts the identifiers that this finds into the examples."""
    script = (Path(pinned.LOCK).parent / "operations.js").read_text()
    (query,) = re.findall(r'const query = "(\{.*\})";', script)
    assert (await people.client.ask(query))["contracts"]["nodes"] == []


def test_what_stands_in_its_headers_without_a_session_can_be_sent() -> None:
    (placeholder,) = re.findall(r'token \?\? "([^"]+)"', text_of(HOME / "explorer" / "explorer.js"))
    assert placeholder.isascii()


def test_the_lock_names_four_files_of_three_packages_each_by_its_hash_and_no_address() -> None:
    text = pinned.LOCK.read_text()
    files = json.loads(text)["files"]
    assert [one["name"] for one in files] == ["react.js", "react-dom.js", "graphiql.js", "graphiql.css"]
    assert {one["package"] for one in files} == {"react@18.3.1", "react-dom@18.3.1", "graphiql@3.9.0"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", one["sha256"]) for one in files)
    assert "://" not in text


def test_what_is_missing_is_what_is_not_as_it_was_pinned(folder: Path) -> None:
    missing = partial(pinned.missing, folder)
    assert missing() == []
    (folder / "react.js").write_bytes(b"other")
    (folder / "graphiql.css").unlink()
    assert [one.name for one in missing()] == ["react.js", "graphiql.css"]


def test_only_the_explorers_page_has_its_policy() -> None:
    assert policies.PAGE["content-security-policy"] != policies.EXPLORER["content-security-policy"]
    assert "sha256-" not in policies.PAGE["content-security-policy"]
