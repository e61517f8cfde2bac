"""Gives accounts a rate: what each of their keys may use of the service."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

RATES = """
ALTER TABLE accounts
    ADD COLUMN points_per_second INT,
    ADD CONSTRAINT accounts_rate CHECK (points_per_second > 0);
COMMENT ON COLUMN accounts.points_per_second IS 'What each of its keys may use; NULL is what the deployment grants to all';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0011_documents")]
    operations: list[Operation] = [RunSQL(RATES)]
