"""The plan in the model, and what one side asks the other to change of it: docs/law.md, section 3, told a second time."""

from __future__ import annotations

from escrow.access import Side
from escrow.agreement import commands as c
from tests.escrow.agreement.facts import HOLDING, OPEN_AND_LOCKED, Facts, Piece, minor

PlanEdit = c.AddMilestone | c.EditMilestone | c.MoveMilestone | c.RemoveMilestone
ORDER = ("NOT_FOUND", "INVALID_STATE", "MILESTONE_LOCKED", "INVALID_INPUT", "OUT_OF_SEQUENCE")


def as_edit(change: c.RequestedChange) -> PlanEdit | c.AmendChange:
    """What the client would do itself."""
    match change:
        case c.AddChange():
            return c.AddMilestone(contract_id="", milestone=change.milestone, position=change.position)
        case c.EditChange():
            return c.EditMilestone(
                milestone_id=change.milestone_id,
                title=change.title,
                purpose=change.purpose,
                amount=change.amount,
                due_on=change.due_on,
                deliverables=change.deliverables,
            )
        case c.MoveChange():
            return c.MoveMilestone(milestone_id=change.milestone_id, position=change.position)
        case c.RemoveChange():
            return c.RemoveMilestone(milestone_id=change.milestone_id)
        case c.AmendChange():
            return change


class Petitions(Facts):
    """Edits the plan, and says whether an edit fits it."""

    def _good_draft(self, draft: c.MilestoneDraft, currency: str) -> bool:
        return bool(minor(draft.amount, currency) is not None and draft.title.strip() and draft.purpose.strip())

    def _bad_edit(self, command: PlanEdit) -> bool:
        if isinstance(command, c.AddMilestone):
            fits = command.position is None or 1 <= command.position <= len(self.pieces) + 1
            return not (self._good_draft(command.milestone, self.currency) and len(self.pieces) < 200 and fits)
        if isinstance(command, c.EditMilestone):
            given = (command.title, command.purpose, command.amount, command.due_on, command.deliverables)
            nothing = all(one is None for one in given)
            amount = command.amount is None or minor(command.amount, self.currency) is not None
            return nothing or not (amount and (command.title is None or bool(command.title.strip())))
        return isinstance(command, c.MoveMilestone) and not 1 <= command.position <= len(self.pieces)

    def _misplaced(self, command: PlanEdit) -> bool:
        if not isinstance(command, (c.AddMilestone, c.MoveMilestone)):
            return False
        moved = command.milestone_id if isinstance(command, c.MoveMilestone) else None
        if moved is not None and [piece.id for piece in self.pieces].index(moved) + 1 == command.position:
            return False
        others = [piece for piece in self.pieces if piece.id != moved]
        position = command.position if command.position is not None else len(others) + 1
        return any(piece.state in OPEN_AND_LOCKED for piece in others[position - 1 :])

    def _misfit(self, change: c.RequestedChange) -> str | None:
        """The code of what keeps one operation from fitting the plan as it is."""
        edit = as_edit(change)
        if isinstance(edit, c.AddMilestone):
            if self.ending:
                return "INVALID_STATE"
        elif edit.milestone_id not in {piece.id for piece in self.pieces} | set(self.former):
            return "NOT_FOUND"
        else:
            state = self._piece(edit.milestone_id).state
            if isinstance(edit, c.AmendChange):
                if state not in HOLDING:
                    return "MILESTONE_LOCKED"
                return "INVALID_INPUT" if edit.due_on is None and edit.deliverables is None else None
            if state != "PLANNED":
                return "MILESTONE_LOCKED"
        if self._bad_edit(edit):
            return "INVALID_INPUT"
        return "OUT_OF_SEQUENCE" if self._misplaced(edit) else None

    def _misfits(self, changes: tuple[c.RequestedChange, ...]) -> list[str]:
        """Of each operation that doesn't fit after those before it that do, the code. Must be called on a copy."""
        found = []
        for change in changes:
            code = self._misfit(change)
            if code is None:
                self._change(change)
            else:
                found.append(code)
        return found

    def _bad_petition(self, command: c.FileChangeRequest, side: Side) -> list[str]:
        own = sum(one.author is side and one.state == "OPEN" for one in self.petitions.values())
        wrong = not command.message.strip() or not 1 <= len(command.changes) <= 50 or own >= 20
        if side is Side.CLIENT:
            wrong = wrong or any(not isinstance(change, c.AmendChange) for change in command.changes)
        return ["INVALID_INPUT"] if wrong else []

    def _change(self, change: c.RequestedChange) -> None:
        edit = as_edit(change)
        if isinstance(edit, c.AmendChange):
            self.plan_version += 1
        else:
            self._edit_plan(edit)

    def _edit_plan(self, command: PlanEdit) -> None:
        self.plan_version += 1
        if isinstance(command, c.AddMilestone):
            at = len(self.pieces) if command.position is None else command.position - 1
            draft = command.milestone
            self.pieces.insert(at, Piece(draft.id, minor(draft.amount, self.currency) or 0))
            return
        piece = self._piece(command.milestone_id)
        if isinstance(command, c.EditMilestone) and command.amount is not None:
            piece.amount = minor(command.amount, self.currency) or 0
        if isinstance(command, c.RemoveMilestone):
            piece.state = "CANCELLED"
        if isinstance(command, c.MoveMilestone):
            self.pieces.remove(piece)
            self.pieces.insert(command.position - 1, piece)

    def _import(self, command: c.ImportMilestones) -> None:
        self.plan_version += max([self._imported(row) for row in command.rows])

    def _imported(self, row: c.ImportRow) -> bool:
        """Whether the row changed something; it is of no use to know more than prices."""
        piece = next((piece for piece in self.pieces if piece.id == row.milestone_id), None)
        price = minor(row.amount, self.currency) if row.amount is not None else None
        if piece is None:
            self.pieces.append(Piece(row.milestone_id, price or 0))
        elif price in (None, piece.amount):
            return False
        else:
            piece.amount = price
        return True

    def _a_row_is_locked(self, command: c.ImportMilestones) -> str | None:
        """A row that gives a closed or funded milestone another price. Of a row the model knows no more than the price."""
        pieces = {piece.id: piece for piece in self.pieces}
        for row in command.rows:
            piece = pieces.get(row.milestone_id)
            if piece is None or piece.state == "PLANNED" or row.amount is None:
                continue
            if minor(row.amount, self.currency) != piece.amount:
                return "MILESTONE_LOCKED"
        return None

    def _bad_rows(self, command: c.ImportMilestones) -> bool:
        known = {piece.id for piece in self.pieces}
        fresh = [row for row in command.rows if row.milestone_id not in known]
        good = all(row.amount is None or minor(row.amount, self.currency) is not None for row in command.rows)
        return not (good and all(row.amount is not None for row in fresh) and len(self.pieces) + len(fresh) <= 200)
