"""Imports what processes of the release in this folder need, and from then on becomes each one that it is asked for.

A line of JSON asks: the words of the command, its variables, and the file that takes what it says. It is answered by a line with
the number of the new process, and by another one with its exit code once it has ended. Whoever asks goes away: all end.
"""

import json
import os
import select
import signal
import sys
from contextlib import suppress

import api.app  # noqa: F401 - imported before the processes are there
import webhooks.audit  # noqa: F401
from earnest import cli


def main() -> None:
    """Until nobody is left who could ask."""
    alive: set[int] = set()
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asking = os.fdopen(sys.stdin.fileno(), "rb", buffering=0)  # nothing is read before it is looked for
    while True:
        ready, _, _ = select.select([asking.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 512)
            _reap(alive)
        if asking.fileno() in ready:
            if not (asked := asking.readline()):
                break
            if not (pid := os.fork()):
                _become(**json.loads(asked))
            alive.add(pid)
            _tell(began=pid)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _reap(alive: set[int]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            alive.discard(ended[0])
            _tell(ended=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _tell(**said: int) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _become(words: list[str], environ: dict[str, str], log: str) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environ)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for standard in (sys.stdout, sys.stderr):
        os.dup2(output, standard.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.exit(cli.main(words))


if __name__ == "__main__":
    main()
