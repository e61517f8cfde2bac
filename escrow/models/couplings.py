"""Contracts that are coupled with project tools, and what was agreed between them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Coupling(Model):
    """A contract and a project of a tool, with how they are kept the same."""

    name = fields.CharField(50, primary_key=True)
    tool = fields.TextField()
    contract_id = fields.CharField(64)
    earnest_url = fields.TextField()
    place: Any = fields.JSONField()
    treaty: Any = fields.JSONField()
    secrets = fields.BinaryField()
    poll_seconds = fields.IntField()
    state = fields.TextField()
    believes = fields.BooleanField()
    cursor = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    rung_at = fields.DatetimeField(null=True)
    read_at = fields.DatetimeField(null=True)
    settled_at = fields.DatetimeField(null=True)
    failures = fields.IntField()
    problem = fields.TextField(null=True)
    writes = fields.BigIntField()
    lease_token = fields.TextField(null=True)
    leased_until = fields.DatetimeField(null=True)
    began_anew_at = fields.DatetimeField(null=True)

    class Meta:
        table = "couplings"


class CoupledPair(Model):
    """A milestone and an item that are one thing."""

    coupling = fields.CharField(50, primary_key=True)
    milestone_id = fields.CharField(64)
    external_id = fields.TextField()
    agreed: Any = fields.JSONField()

    class Meta(Facts):
        table = "coupled_pairs"
        key = ("coupling", "milestone_id")


class CoupledWriting(Model):
    """What is being written to an item, or was, and has not been seen since."""

    coupling = fields.CharField(50, primary_key=True)
    milestone_id = fields.CharField(64)
    external_id = fields.TextField()
    said: Any = fields.JSONField()
    is_answered = fields.BooleanField()
    shown_at = fields.DatetimeField(null=True)
    written_at = fields.DatetimeField()

    class Meta(Facts):
        table = "coupled_writings"
        key = ("coupling", "milestone_id")
