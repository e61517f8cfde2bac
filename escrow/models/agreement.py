"""Contracts and what belongs to them: as `evolve` makes them of the events."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.accounts import Account


class Contract(Model):
    """A contract; `version` is the sequence of its last event, `last_hash` that event's hash."""

    id = fields.CharField(64, primary_key=True)
    client: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="as_client")
    freelancer: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "escrow.Account", related_name="as_freelancer"
    )
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

    class Meta:
        table = "contracts"


class Deposit(Model):
    """A client's payment into escrow; `parts` and `returned` are lists of objects in minor units."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="deposits")
    order_id = fields.CharField(64, unique=True)
    revision = fields.IntField()
    state = fields.TextField()
    parts: Any = fields.JSONField()
    charge_minor = fields.BigIntField()
    currency = fields.TextField()
    returned: Any = fields.JSONField()
    started_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    is_bonus = fields.BooleanField()
    reversal = fields.TextField(null=True)
    reversed_at = fields.DatetimeField(null=True)
    is_for_everything = fields.BooleanField()
    forfeited_minor = fields.BigIntField()

    class Meta:
        table = "deposits"


class Milestone(Model):
    """A milestone of any revision; amounts are minor units of the contract's currency."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="milestones")
    revision = fields.IntField()
    position = fields.IntField()
    state = fields.TextField()
    title = fields.TextField()
    purpose = fields.TextField()
    deliverables = ArrayField("text")
    due_on = fields.DateField()
    amount_minor = fields.BigIntField()
    held_minor = fields.BigIntField()
    held_fee_minor = fields.BigIntField()
    base_minor = fields.BigIntField()
    base_fee_minor = fields.BigIntField()
    released_minor = fields.BigIntField()
    refunded_minor = fields.BigIntField()
    freelancer_fee_minor = fields.BigIntField()
    client_fee_minor = fields.BigIntField()
    submissions = fields.IntField()
    review_due_at = fields.DatetimeField(null=True)
    deposit: fields.ForeignKeyNullableRelation[Deposit] = fields.ForeignKeyField(
        "escrow.Deposit", related_name="milestones", null=True
    )
    updated_at = fields.DatetimeField()
    reminded_hours = fields.IntField(null=True)
    hold = fields.TextField()
    hold_id = fields.CharField(64, null=True)
    review_frozen_at = fields.DatetimeField(null=True)
    review_resumed_at = fields.DatetimeField(null=True)
    client_barred_until = fields.DatetimeField(null=True)
    freelancer_barred_until = fields.DatetimeField(null=True)
    frozen_at = fields.DatetimeField(null=True)
    lots: Any = fields.JSONField()
    bonus_deposit: fields.ForeignKeyNullableRelation[Deposit] = fields.ForeignKeyField(
        "escrow.Deposit", related_name="bonus_of", null=True
    )
    bonus_minor = fields.BigIntField()
    rolled_minor = fields.BigIntField()
    lost_minor = fields.BigIntField()
    client_id = fields.TextField()
    freelancer_id = fields.TextField()
    deadline_at = fields.DatetimeField(null=True)

    class Meta:
        table = "milestones"
        unique_together = (("contract_id", "revision", "position"),)


class Submission(Model):
    """Work that was handed in; `attachments` is a list of objects with a name and a sha256."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField(
        "escrow.Contract", related_name="all_submissions"
    )
    milestone: fields.ForeignKeyRelation[Milestone] = fields.ForeignKeyField(
        "escrow.Milestone", related_name="handed_in"
    )
    number = fields.IntField()
    message = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    submitted_at = fields.DatetimeField()

    class Meta:
        table = "submissions"
        unique_together = (("milestone_id", "number"),)


class Deadline(Model):
    """A running clock, in domain time. Its key is contract, kind and subject."""

    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="deadlines")
    kind = fields.TextField()
    subject_id = fields.CharField(64, primary_key=True)
    due_at = fields.DatetimeField()

    class Meta:
        table = "deadlines"
