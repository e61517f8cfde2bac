"""What the sweep of due deadlines notes for itself; real time, and nothing of the domain."""

from tortoise import fields
from tortoise.models import Model


class DeadlineSweep(Model):
    """A contract that a worker is at until `free_at`, or that failed and waits until then."""

    contract_id = fields.CharField(64, primary_key=True)
    free_at = fields.DatetimeField()
    lease_token = fields.TextField()
    attempts = fields.IntField()
    last_error = fields.TextField(null=True)

    class Meta:
        table = "deadline_sweeps"


class DeadlineCount(Model):
    """How often sweeps brought an event about, by its type, and how often they failed."""

    outcome = fields.CharField(64, primary_key=True)
    total = fields.BigIntField()

    class Meta:
        table = "deadline_counts"
