"""Takes the steps that `earnest up` takes by itself: some before the processes of the Procfile start, some once they answer, and
some afterwards, for which nothing waits.

A step gets the deployment and gives the lines to print; every start runs it again, so it does nothing the second time.
"""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from escrow.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a step works on: the settings, and the folder of the embedded mode (None with real servers)."""

    settings: Settings
    directory: Path | None

    @property
    def host(self) -> str:
        """The address under which this machine reaches the web process."""
        return self.settings.local_host

    @property
    def url(self) -> str:
        """Where the web process answers, without a path."""
        return self.settings.local_url


Step = Callable[[Deployment], Awaitable[list[str]]]


async def migrate(deployment: Deployment) -> list[str]:
    """Bring the tables up to date."""
    from earnest.operator import in_one_line
    from earnest.run.refusing import CannotStart
    from escrow.migrate import NotYet
    from escrow.migrate import migrate as apply

    try:
        with in_one_line():
            applied = await apply(deployment.settings.database_url)
    except NotYet as why:
        raise CannotStart(str(why)) from None
    return [f"migrated: {', '.join(applied)}"] if applied else []


async def load_demo(deployment: Deployment) -> list[str]:
    """In the embedded mode: people with keys and a contract to look at, made once; gives their keys, and links to the console."""
    from earnest.api_client import ApiError
    from earnest.demo import people as demo

    if deployment.directory is None:
        return []
    try:
        people = await demo.load(
            deployment.url, database_url=deployment.settings.database_url, directory=deployment.directory
        )
        links = await demo.console_links(people, explorer=deployment.settings.explorer)
    except ApiError as error:
        return [f"the demo was not loaded: {error}"]
    shown = [f"{role:<11}{person.key}" for role, person in people.by_role().items()]
    return [
        *shown,
        *links,
        "           each link opens once and within ten minutes; `earnest sessions link` makes another",
    ]


async def fetch_explorer(deployment: Deployment) -> list[str]:
    """Where npm is, fetch the explorer's files that are missing; says what came of it, if anything was to be done."""
    from earnest.run.fetching import NotFetched, fetch

    if not deployment.settings.explorer or shutil.which("npm") is None:
        return []
    try:
        packages = await fetch()
    except NotFetched as why:
        return [f"the explorer was not fetched, {why}; everything else works, and `make explorer` tries again"]
    return [f"explorer   {deployment.url}/graphql has GraphiQL now, fetched from npm"] if packages else []


BEFORE_PROCESSES: tuple[Step, ...] = (migrate,)
AFTER_PROCESSES: tuple[Step, ...] = (load_demo,)
