"""How the peers that are written in Python are served: by uvicorn, set up as `earnest web` is."""

from __future__ import annotations

import os
from typing import Final

import uvicorn
from starlette.applications import Starlette

POOL: Final = 16
"""Connections to PostgreSQL: one for each request that is under way at once."""


def database_url() -> str:
    return os.environ["DATABASE_URL"]


def serve(app: Starlette) -> None:
    """Serve on `PORT` until a signal."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
