"""A whole deployment for the field's clients and audits, which can be restarted under them, and the Node that runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.docs.product import started
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS

HERE = Path(__file__).parent

Node = Callable[..., str]

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM = os.environ.get("EARNEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: install it, or name it in EARNEST_CHROMIUM"
)


class Deployment:
    """The product as `earnest up` starts it, on one port and one folder through all restarts."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.allowed_page_port = free_port()
        """Pages of this port are of an allowed origin; those of every other are not."""
        self.keys: dict[str, str] = {}
        self.root = root
        self._changing = threading.RLock()
        self._running: AbstractContextManager[tuple[int, dict[str, str]]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        origins = f"http://127.0.0.1:{self.allowed_page_port}"
        self._running = started(self.root, port=self.port, EARNEST_ALLOWED_ORIGINS=origins)
        _, self.keys = self._running.__enter__()

    def stop(self) -> None:
        with self._changing:
            if self._running is not None:
                running, self._running = self._running, None
                running.__exit__(None, None, None)

    def restart(self) -> None:
        """Web, worker, PostgreSQL and Redis end and begin again, with what they had."""
        with self._changing:
            self.stop()
            self.start()

    def account_of(self, role: str) -> str:
        """The account of one of the demo's people."""
        query = {"query": "{ viewer { accountId } }"}
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        answer = httpx.post(f"{self.url}/graphql", json=query, headers=headers, timeout=60).json()
        account_id: str = answer["data"]["viewer"]["accountId"]
        return account_id


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for all clients."""
    one = Deployment(tmp_path_factory.mktemp("deployment"))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def environ(deployment: Deployment) -> Iterator[dict[str, str]]:
    """Addresses, keys and accounts as the scripts take them, and the address that restarts the deployment when it is asked."""

    class Restarts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            deployment.restart()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the scripts tell what they do."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Restarts) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        yield os.environ | {
            "EARNEST_URL": deployment.url,
            "EARNEST_KEY": deployment.keys["client"],
            "EARNEST_ACCOUNT": deployment.account_of("client"),
            "EARNEST_OTHER": deployment.account_of("freelancer"),
            "EARNEST_RESTART": f"http://127.0.0.1:{control.server_address[1]}/",
            "EARNEST_ALLOWED_PAGE_PORT": str(deployment.allowed_page_port),
        }
        control.shutdown()


@pytest.fixture(scope="session")
def node(environ: dict[str, str]) -> Node:
    """Runs one of the scripts of this folder against the deployment, and gives what it printed; it must succeed."""
    return lambda script, **beside: run_script(script, environ | beside)


def run_script(script: str, environ: dict[str, str]) -> str:
    """What a script of this folder printed, which must succeed."""
    done = subprocess.run(
        ["node", script], cwd=HERE, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
