"""Keeps which accounts at a payment provider the deployment's money was in, so that another one is told apart."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

ACCOUNTS = """
ALTER TABLE deployment ADD COLUMN provider_accounts JSONB NOT NULL DEFAULT '{}';
COMMENT ON COLUMN deployment.provider_accounts IS
    'By a provider''s name the platform''s accounts there, as they followed: calls for the first one bear that name alone';
"""


class Migration(Before):
    release = "1.1.0"
    dependencies = [("escrow", "m0027_names")]
    operations: list[Operation] = [RunSQL(ACCOUNTS)]
