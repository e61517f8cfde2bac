"""Makes links that let a person of the demo into the console or the explorer: each once, within ten minutes.

A link is made over the API, as any program makes one for its people; the code stands behind `#`, which no server ever sees.
"""

from __future__ import annotations

from typing import Final

from earnest.api_client import Api
from earnest.demo.people import People, Person

CONSOLE: Final = "/console"
EXPLORER: Final = "/graphql"

SESSION_SECONDS: Final = 43_200
"""As long as a session may last: whoever tries things out shouldn't have to come back for another link."""


async def link(url: str, person: Person, page: str = CONSOLE) -> str:
    """The address that opens `page` with a session of this person. Raises `ApiError` if none could be made."""
    api = Api(url, person.key)
    scopes = (await api.ask("query Scopes { viewer { scopes } }"))["viewer"]["scopes"]
    made = await api.do("createSessionLink", "url", scopes=scopes, lifetimeSeconds=SESSION_SECONDS)
    _, _, code = str(made["url"]).partition("#")
    return f"{url}{page}#{code}"


async def lines(url: str, people: People, *, explorer: bool) -> list[str]:
    """What `earnest up` says of the console: one link for each side, to be opened side by side."""
    told = [f"console  as the client:     {await link(url, people.client)}"]
    told.append(f"console  as the freelancer: {await link(url, people.freelancer)}")
    if explorer:
        told.append(f"explorer as the client:     {await link(url, people.client, EXPLORER)}")
    return [*told, "each link opens once, within 10 minutes; .venv/bin/earnest link client makes another"]
