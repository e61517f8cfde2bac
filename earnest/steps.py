"""What `earnest up` does by itself, in order: before the processes of the Procfile start, and once they answer.

A step gets the deployment and gives the lines to print; every start runs it again, so it does nothing the second time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from escrow.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a step works on: the settings, and the folder of the embedded mode (None with real servers)."""

    settings: Settings
    directory: Path | None


Step = Callable[[Deployment], Awaitable[list[str]]]


async def migrate(deployment: Deployment) -> list[str]:
    """Bring the tables up to date."""
    from escrow.migrate import migrate as apply

    applied = await apply(deployment.settings.database_url)
    return [f"migrated: {', '.join(applied)}"] if applied else []


BEFORE_PROCESSES: tuple[Step, ...] = (migrate,)
AFTER_PROCESSES: tuple[Step, ...] = ()
