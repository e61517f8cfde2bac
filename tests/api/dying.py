"""A web process that dies between the commit of a command and its answer: what it wrote stands, and nobody was told."""

import os

import uvicorn

from api.app import create_app
from escrow import bell
from escrow.bell import Topic
from tests.patience import RESTS_SECONDS


async def _die(*_: Topic) -> None:
    os._exit(9)


def main(port: str) -> None:
    """Until it dies."""
    bell.ring = _die  # the first thing after a commit
    uvicorn.run(create_app(), host="127.0.0.1", port=int(port), log_level="warning", timeout_keep_alive=RESTS_SECONDS)
