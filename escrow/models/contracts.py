"""Contracts, as `evolve` makes them of their events."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Contract(Model):
    """A contract; `version` is the sequence of its last event, `last_hash` that event's hash."""

    id = fields.CharField(64, primary_key=True)
    client_id = fields.CharField(64)
    freelancer_id = fields.CharField(64)
    state = fields.TextField()
    title = fields.TextField()
    description = fields.TextField()
    currency = fields.TextField()
    time_zone = fields.TextField()
    budget_minor = fields.BigIntField(null=True)
    deposit_term = fields.TextField()
    revision = fields.IntField()
    written_by = fields.TextField()
    offered_at = fields.DatetimeField()
    plan_version = fields.IntField()
    offer_hours = fields.IntField()
    deposit_hours = fields.IntField()
    review_hours = fields.IntField()
    refund_answer_hours = fields.IntField()
    dispute_answer_hours = fields.IntField()
    mediation_hours = fields.IntField()
    client_fee_bps = fields.IntField()
    freelancer_fee_bps = fields.IntField()
    version = fields.BigIntField()
    last_hash = fields.TextField()
    last_event_at = fields.DatetimeField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    erasures = fields.IntField()
    ending_by = fields.TextField(null=True)
    ending_requested_at = fields.DatetimeField(null=True)
    ending_money_went_back = fields.BooleanField(null=True)
    all_deposited = fields.BooleanField()
    was_disputed = fields.BooleanField()
    updates_posted = fields.IntField()
    is_dormant = fields.BooleanField()
    payouts_are_automatic = fields.BooleanField()
    deadline_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "contracts"
        fixed = ("client_id", "freelancer_id", "currency", "created_at")
        apart = ("version", "last_hash", "last_event_at", "erasures")
        words = ("title", "description")
