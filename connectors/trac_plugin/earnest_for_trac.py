"""A plugin of Trac 1.6 that gives and takes milestones as JSON: copy this file into the `plugins` folder of an environment.

    [earnest]
    token = a long random text, which Earnest is given by `earnest connect trac --token-file …`

It goes by Trac's own model, so that its other listeners hear of what is changed, and notes when each milestone was.
"""

import hmac
import json
from datetime import datetime, timezone
from typing import Any

from trac.config import Option
from trac.core import Component, implements
from trac.ticket.api import IMilestoneChangeListener
from trac.ticket.model import Milestone
from trac.util.datefmt import datetime_now, utc
from trac.web.api import IRequestHandler

PATH = "/earnest/milestones"
NOON = 12
"""A due date is kept at this hour in UTC, which is the same date nearly everywhere."""
BYTES_MAX = 200_000


class EarnestMilestones(Component):  # type: ignore[misc]  # Trac tells no types
    """The door."""

    implements(IRequestHandler, IMilestoneChangeListener)
    token = Option("earnest", "token", "", "What whoever asks must show.")

    def match_request(self, req: Any) -> bool:
        if req.path_info != PATH and not req.path_info.startswith(PATH + "/"):
            return False
        shown = (req.get_header("Authorization") or "").encode(errors="surrogateescape")
        if hmac.compare_digest(shown, f"Bearer {self.token}".encode()) and self.token:
            req.form_token = None  # a program with a token is no browser that somebody else may have sent here
        return True

    def process_request(self, req: Any) -> None:
        if req.form_token is not None or not self.token:
            self._answer(req, 401, {"error": "the token of [earnest] in trac.ini is missing"})
        name = req.path_info[len(PATH) + 1 :]
        known = {one.name: one for one in Milestone.select(self.env)}
        if name and name not in known:
            self._answer(req, 404, {"error": f"there is no milestone {name!r}"})
        if req.method == "POST":
            if int(req.get_header("Content-Length") or 0) > BYTES_MAX:
                self._answer(req, 413, {"error": "too long"})
            given = json.loads(req.read())
            self._write(req, known[name] if name else Milestone(self.env), given)
        all_of_them = {"milestones": [self._shown(one) for one in known.values()]}
        self._answer(req, 200, self._shown(known[name]) if name else all_of_them)

    def _write(self, req: Any, milestone: Any, given: dict[str, Any]) -> None:
        taken = {one.name for one in Milestone.select(self.env)} - {milestone.name}
        if given.get("name", milestone.name) in taken:
            self._answer(req, 409, {"error": f"another milestone is called {given['name']!r} already"})
        milestone.name = given.get("name", milestone.name)
        milestone.description = given.get("description", milestone.description)
        if "due" in given:
            day = datetime.strptime(given["due"], "%Y-%m-%d")  # noqa: DTZ007 - a date
            milestone.due = day.replace(hour=NOON, tzinfo=utc)
        if given.get("completed") is not None and given["completed"] != milestone.is_completed:
            milestone.completed = datetime_now(utc) if given["completed"] else None
        milestone.update(author="earnest") if milestone.exists else milestone.insert()
        self._answer(req, 200, self._shown(milestone))

    def _shown(self, milestone: Any) -> dict[str, Any]:
        rows = self.env.db_query("SELECT value FROM system WHERE name = %s", (_key(milestone.name),))
        return {
            "name": milestone.name,
            "description": milestone.description or "",
            "due": milestone.due.astimezone(utc).date().isoformat() if milestone.due else None,
            "completed": milestone.is_completed,
            "changed": rows[0][0] if rows else None,
        }

    def _answer(self, req: Any, status: int, body: dict[str, Any]) -> None:
        req.send(json.dumps(body).encode(), "application/json", status)  # raises RequestDone

    def milestone_created(self, milestone: Any) -> None:
        self._note(milestone.name)

    def milestone_changed(self, milestone: Any, old_values: dict[str, Any]) -> None:
        if "name" in old_values:
            self._forget(old_values["name"])
        self._note(milestone.name)

    def milestone_deleted(self, milestone: Any) -> None:
        self._forget(milestone.name)

    def _note(self, name: str) -> None:
        self._forget(name)
        now = datetime.now(timezone.utc).isoformat()  # noqa: UP017 - as old a Python as Trac takes
        self.env.db_transaction("INSERT INTO system (name, value) VALUES (%s, %s)", (_key(name), now))

    def _forget(self, name: str) -> None:
        self.env.db_transaction("DELETE FROM system WHERE name = %s", (_key(name),))


def _key(name: str) -> str:
    return f"earnest.changed.{name}"
