"""Reads the work that was handed in for milestones, as an actor may see it."""

from typing import Final

from escrow.ids import Kind
from escrow.queries.views import Objects, selected
from escrow.store import tables

SUBMISSIONS: Final = Objects(select=selected(tables.SUBMISSIONS), read=tables.SUBMISSIONS.read, kind=Kind.SUBMISSION)
