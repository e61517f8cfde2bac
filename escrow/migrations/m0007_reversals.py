"""Allows the reversal of a deposit that was sent back before: the provider took back what was no milestone's."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

DEPOSITS = """
ALTER TABLE deposits
    DROP CONSTRAINT deposits_only_what_came_is_reversed,
    ADD CONSTRAINT deposits_only_what_came_is_reversed CHECK (
        (reversal IS NULL) = (reversed_at IS NULL)
        AND (reversal IS NULL OR state = 'CONFIRMED' OR jsonb_array_length(returned) > 0));
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0006_disagreement")]
    operations: list[Operation] = [RunSQL(DEPOSITS)]
