"""What the parties of a contract disagree about and agree on: as `evolve` makes it of the events."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.agreement import Contract, Milestone


class RefundRequest(Model):
    """The client asks for what a milestone holds, or part of it; one open request at most holds a milestone."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField(
        "escrow.Contract", related_name="all_refund_requests"
    )
    milestone: fields.ForeignKeyRelation[Milestone] = fields.ForeignKeyField(
        "escrow.Milestone", related_name="refund_requests"
    )
    state = fields.TextField()
    amount_minor = fields.BigIntField()
    by_ending = fields.BooleanField()
    requested_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    clock_started_at = fields.DatetimeField()
    message = fields.TextField()
    answer = fields.TextField()

    class Meta:
        table = "refund_requests"


class Dispute(Model):
    """An argument about what a milestone holds; one at most that is not decided holds a milestone."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField(
        "escrow.Contract", related_name="all_disputes"
    )
    milestone: fields.ForeignKeyRelation[Milestone] = fields.ForeignKeyField(
        "escrow.Milestone", related_name="disputes"
    )
    state = fields.TextField()
    opened_by = fields.TextField()
    claim_minor = fields.BigIntField()
    opened_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    clock_started_at = fields.DatetimeField()
    silence_pays = fields.BooleanField()
    answers_refund: fields.ForeignKeyNullableRelation[RefundRequest] = fields.ForeignKeyField(
        "escrow.RefundRequest", related_name="answered_by", null=True
    )
    overdue = fields.IntField()
    client_evidence = fields.IntField()
    freelancer_evidence = fields.IntField()
    client_offer_minor = fields.BigIntField(null=True)
    freelancer_offer_minor = fields.BigIntField(null=True)
    client_withdraws = fields.BooleanField()
    freelancer_withdraws = fields.BooleanField()
    to_freelancer_minor = fields.BigIntField(null=True)
    reason = fields.TextField()
    explanation = fields.TextField()

    class Meta:
        table = "disputes"


class Evidence(Model):
    """What a side brought forward in a dispute. Its key is dispute, side and number."""

    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="evidence")
    dispute: fields.ForeignKeyRelation[Dispute] = fields.ForeignKeyField("escrow.Dispute", related_name="evidence")
    side = fields.TextField()
    number = fields.IntField(primary_key=True)
    text = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    added_at = fields.DatetimeField()

    class Meta:
        table = "evidence"


class ChangeRequest(Model):
    """Operations on the plan that one side asks the other to accept; `words` holds those of each change, in order."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField(
        "escrow.Contract", related_name="change_requests"
    )
    filed_by = fields.TextField()
    state = fields.TextField()
    changes: Any = fields.JSONField()
    words: Any = fields.JSONField()
    message = fields.TextField()
    filed_at = fields.DatetimeField()
    plan_version = fields.IntField()

    class Meta:
        table = "change_requests"


class Update(Model):
    """A progress update on a contract or on one of its milestones. Its key is contract and number."""

    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="updates")
    number = fields.IntField(primary_key=True)
    side = fields.TextField()
    milestone: fields.ForeignKeyNullableRelation[Milestone] = fields.ForeignKeyField(
        "escrow.Milestone", related_name="updates", null=True
    )
    message = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    posted_at = fields.DatetimeField()

    class Meta:
        table = "updates"
