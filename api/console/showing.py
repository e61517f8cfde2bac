"""Serves the console, the modules that it and other people's pages are made of, and the explorer of the API.

All are files as they lie here; nothing of a request is said again, and no token ever stands in a page. A module is sent below
the name of its release, to which its own address leads: so all that it imports is of the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.console import pinned, policies
from api.console.assets import ASKED, FOR_GOOD, Asset, Assets, sent
from api.console.shipped import NAME, Releases

HOME: Final = "/console"
"""The address of the console; its modules are below it."""

EXPLORERS_FILES: Final = "/explorer"
"""Below it is what the explorer is made of that isn't ours."""

_FOLDER: Final = Path(__file__).parent

_PAGE: Final = "pages/console.html"
_EXPLORER: Final = "explorer/explorer.html"


class Console:
    """The console of one process; `explores` says whether the deployment wants an explorer."""

    def __init__(self, *, explores: bool, fetched: Path = pinned.FETCHED, folder: Path = _FOLDER) -> None:
        self._explores = explores
        self._ours = Releases(folder)
        self._fetched = Assets(fetched, pinned=pinned.hashes())

    async def page(self, request: Request) -> Response:
        """`GET /console`: the one page, which shows what its modules make of the address behind `#`."""
        return _answer(request, await (await self._ours.latest()).get(_PAGE), policies.PAGE)

    async def module(self, request: Request) -> Response:
        """`GET /console/…`: where a module or a style lies now, and below the name of its release itself."""
        first, _, rest = request.path_params["name"].partition("/")
        if NAME.fullmatch(first):
            return await self._of_release(request, first, rest)
        name = request.path_params["name"]
        latest = await self._ours.latest()
        if name.endswith(".html") or name not in latest.bodies:
            return _answer(request, None, policies.MODULE)
        there = f"{'../' * name.count('/')}{latest.name}/{name}"
        return Response(status_code=307, headers={**policies.MODULE, "location": there, "cache-control": ASKED})

    async def _of_release(self, request: Request, release: str, name: str) -> Response:
        """A file of that release; one that isn't known here (any more) is gone, and a page that belongs to it says so."""
        found = await self._ours.get(release)
        if found is None:
            said = {**policies.MODULE, "cache-control": "no-store"}
            return PlainTextResponse("This release of the console isn't here (any more).\n", 410, headers=said)
        asset = None if name.endswith(".html") else await found.get(name)
        return _answer(request, asset, policies.MODULE, caching=FOR_GOOD)

    async def explorers_file(self, request: Request) -> Response:
        """`GET /explorer/…`: a file that the explorer needs, if it is as it was pinned."""
        asset = await self._fetched.get(request.path_params["name"]) if self._explores else None
        return _answer(request, asset, policies.MODULE)

    async def explorer(self, request: Request) -> Response | None:
        """The explorer's page; `None` where none is wanted, or not all that it needs is there."""
        if not self._explores:
            return None
        for name in pinned.hashes():
            if await self._fetched.get(name) is None:
                return None
        page = await (await self._ours.latest()).get(_EXPLORER)
        return _answer(request, page, policies.EXPLORER) if page is not None else None


def _answer(request: Request, asset: Asset | None, headers: Mapping[str, str], *, caching: str = ASKED) -> Response:
    if asset is None:
        return PlainTextResponse("Not Found", 404, headers={"x-content-type-options": "nosniff"})
    return sent(request, asset, headers, caching=caching)
