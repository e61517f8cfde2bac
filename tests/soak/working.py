"""A worker as an operator starts it, but for its imports, which were done before: hundreds of them are started and killed."""

from __future__ import annotations

import uvloop

from earnest.run import garbage
from escrow.payments.stripe import adapter  # imported before the process is there
from workers.main import run

__all__ = ["adapter", "main"]


def main(_: str) -> None:
    """Work until it is killed; what `earnest worker` does."""
    looking = garbage.look_rarely()

    async def working() -> None:
        async with looking.considering():
            await run()

    uvloop.run(working())
