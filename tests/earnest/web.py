"""A web process for these tests: answers everything with 200, and has a child in its group and one outside of it."""

import http.server
import os
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """Says that it is well."""

    def do_GET(self) -> None:
        """Answer 200."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the parent gave it
        """Say nothing."""


if __name__ == "__main__":
    children = [
        subprocess.Popen(["sleep", "600"], start_new_session=apart).pid
        for apart in (False, True)
        if "family" in sys.argv
    ]
    print("pids", os.getpid(), *children, flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
