"""The console as a browser gets it: its page and modules, what they may do, what is sent again, and paths that lead nowhere."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import brotli
import httpx
import pytest
import pytest_asyncio

from api import console
from api.console.assets import taken
from tests.api.client import door
from tests.api.manual.pages import Page

FOLDER = Path(console.__file__).parent
IMPORTS = re.compile(
    r"""^(?:import|export)\s[^"';]*?from\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\("([^"]+)"\)""", re.MULTILINE
)
COMMENTS = re.compile(r"/\*\*.*?\*/ ?| // [^\"`]*$")
"""Beside code on one line."""

MODULES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js"))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with door() as client:
        yield client


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """What the content security policy says, by directive."""
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("address", ["/", "/console"])
async def test_the_console_is_one_page_that_loads_our_own_files_and_nothing_else(
    http: httpx.AsyncClient, address: str
) -> None:
    answer = await http.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page.of(answer.text)
    assert page.faults == []
    assert page.all("script") == [{"type": "module", "src": "/console/pages/main.js"}]
    assert page.all("style") == []
    for one in (*page.all("link"), *page.all("script")):
        assert (one.get("href") or one["src"]) == "data:," or (
            await http.get(one.get("href") or one["src"], follow_redirects=True)
        ).status_code == 200
    assert {"/about", "/docs"} <= set(page.links), "there is somewhere to go without scripts"


async def test_its_policy_lets_no_text_become_a_script_a_style_or_markup(http: httpx.AsyncClient) -> None:
    answer = await http.get("/console")
    policy = policy_of(answer)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert policy["report-uri"] == "/console/reports"
    assert "report-to" not in policy, "browsers would report there alone, and over HTTPS alone"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_where_money_is_real_the_first_page_is_words_and_the_console_has_its_own_address() -> None:
    async with door(sandbox=False) as http:
        first, about, own = await http.get("/"), await http.get("/about"), await http.get("/console")
    assert "This address is an API" in first.text
    assert first.text == about.text
    assert "/console/pages/main.js" in own.text
    assert "/console" in Page.of(about.text).links


async def test_the_words_of_the_first_page_stay_at_an_address_of_their_own(http: httpx.AsyncClient) -> None:
    answer = await http.get("/about")
    assert "This address is an API" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", MODULES)
async def test_a_module_may_be_embedded_by_pages_of_any_origin(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"/console/{name}", headers={"origin": "https://app.example.com"}, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    for one in (*answer.history, answer):
        assert one.headers["access-control-allow-origin"] == "*"
        assert one.headers["cross-origin-resource-policy"] == "cross-origin"
        assert one.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", MODULES)
async def test_what_runs_is_line_by_line_what_stands_here_without_comments(http: httpx.AsyncClient, name: str) -> None:
    sent = (await http.get(f"/console/{name}", follow_redirects=True)).text.split("\n")
    stands = [line.strip() for line in (FOLDER / name).read_text().split("\n")]
    assert stands[0] == "/**", "each module says what it owns"
    assert len(sent) == len(stands)
    differ = [(line, one.strip()) for line, one in zip(stands, sent, strict=True) if one.strip() != line]
    assert not [line for line, one in differ if not one and not re.match(r"//|/\*\*|\*", line)]
    assert not [line for line, one in differ if one and one != COMMENTS.sub("", line).strip()]


async def test_a_module_and_all_that_it_imports_are_of_one_release(http: httpx.AsyncClient) -> None:
    led = await http.get("/console/core/element.js")
    assert (led.status_code, led.headers["cache-control"]) == (307, "no-cache")
    release = led.headers["location"].split("/")[1]
    assert led.headers["location"] == f"../{release}/core/element.js"
    assert (await http.get("/console/earnest.js")).headers["location"] == f"{release}/earnest.js"
    there = await http.get(f"/console/{release}/core/element.js")
    assert there.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert '"../' not in there.text
    gone = await http.head("/console/0123456789ab/core/element.js")
    assert (gone.status_code, gone.headers["cache-control"]) == (410, "no-store")
    assert gone.headers["access-control-allow-origin"] == "*", "a page of any origin may know why"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_only_files_that_are_there(name: str) -> None:
    path = FOLDER / name
    named = [one for found in IMPORTS.findall(path.read_text()) for one in found if one]
    assert all(one.startswith(".") for one in named), "no module comes from elsewhere"
    assert [one for one in named if not (path.parent / one).is_file()] == []


@pytest.mark.parametrize("address", ["/console", "/console/pages/main.js", "/console/pages/console.css"])
async def test_what_a_browser_has_is_not_sent_again(http: httpx.AsyncClient, address: str) -> None:
    first = await http.get(address, follow_redirects=True)
    assert ("no-cache" in first.headers["cache-control"]) is (address == "/console")
    address = first.url.path
    again = await http.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    for name in ("content-security-policy", "access-control-allow-origin"):
        assert again.headers.get(name) == first.headers.get(name)
    other = await http.get(address, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize(("coding", "opened"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
async def test_it_is_sent_compressed_to_whoever_takes_that(
    http: httpx.AsyncClient, coding: str, opened: Callable[[bytes], bytes]
) -> None:
    address = (await http.get("/console/pages/main.js", follow_redirects=True)).url.path
    async with http.stream("GET", address, headers={"accept-encoding": f"deflate, {coding};q=0.8"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    plain = await http.get(address, headers={"accept-encoding": "identity"})
    assert answer.headers["content-encoding"] == coding
    assert opened(raw) == plain.content
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("GZIP;q=0.5", "gzip"),
        ("gzip; q=1.000", "gzip"),
        ("", None),
        ("br", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("x-gzip", None),
        ("gzipped, broken", None),
    ],
)
def test_what_is_smallest_is_sent_to_whoever_names_it(accepted: str, coding: str | None) -> None:
    assert taken(accepted, ("br", "gzip")) == coding


PATHS = [
    "/console/../api/app.py",
    "/console/..%2f..%2fpyproject.toml",
    "/console/%2e%2e/app.py",
    "/console/core/../../app.py",
    "/console//etc/passwd",
    "/console/%2fetc%2fpasswd.js",
    "/console/showing.py",
    "/console/__init__.py",
    "/console/explorer/explorer.lock",
    "/console/pages/console.html",
    "/console/explorer/explorer.html",
    "/console/pages",
    "/console/pages/",
    "/console/0123456789AB/pages/main.js",
    "/console/pages/main.js/",
    "/console/pages/main.js%00",
    "/console/pages/MAIN.js",
    "/console/pages/nothing.js",
    "/console/.earnest/demo-keys.js",
    "/console/" + "a/" * 2_000 + "x.js",
    "/console/" + "x" * 10_000 + ".js",
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
async def test_no_path_leads_to_anything_but_modules_and_styles(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(httpx.URL("http://earnest.test", raw_path=path.encode()))
    assert answer.status_code == 404
    assert answer.text == "Not Found"


async def test_other_methods_are_refused(http: httpx.AsyncClient) -> None:
    for path in ("/console", "/console/pages/main.js"):
        assert (await http.post(path)).status_code == 405


async def test_an_address_pays_for_each_file(http: httpx.AsyncClient) -> None:
    from api.tolls import is_free

    for path in ("/", "/console", "/console/pages/main.js", "/console/reports", "/explorer/react.js"):
        assert not is_free(path)


def test_the_languages_of_the_pages_have_the_same_texts() -> None:
    texts = {path.stem: _texts(path) for path in (FOLDER / "texts" / "pages").glob("*.js")}
    assert set(texts) == {"en", "de", "ar"}
    for language, found in texts.items():
        assert list(found) == list(texts["en"]), language
        for key, text in found.items():
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", texts["en"][key])), (
                language,
                key,
            )


def _texts(path: Path) -> dict[str, Any]:
    return dict(re.findall(r'^  "([\w.]+)": "((?:[^"\\]|\\.)*)",$', path.read_text(), re.MULTILINE))


def test_each_text_that_a_page_names_is_there() -> None:
    known = set(_texts(FOLDER / "texts" / "pages" / "en.js")) | set(_texts(FOLDER / "texts" / "en.js"))
    named = {
        key for path in (FOLDER / "pages").glob("*.js") for key in re.findall(r'"(pages\.[\w.]*\w)"', path.read_text())
    }
    assert named - known == set()


def test_no_token_is_kept_where_other_tabs_or_later_visits_have_it() -> None:
    for name in MODULES:
        text = (FOLDER / name).read_text()
        assert "localStorage" not in text, name
        assert "document.cookie" not in text, name
        assert "innerHTML" not in text, name
