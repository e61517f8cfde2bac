"""The clocks that run on contracts."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Deadline(Model):
    """A running clock, in domain time."""

    contract_id = fields.CharField(64)
    kind = fields.TextField()
    subject_id = fields.CharField(64, primary_key=True)
    due_at = fields.DatetimeField()

    class Meta(Facts):
        table = "deadlines"
        key = ("contract_id", "kind", "subject_id")
