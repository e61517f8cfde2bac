"""Says when each event got its position: a time that no later position has less of, so that lists can go on from it."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

# A sequencer of the release before names no time: the default is what it would have written.
POSITIONS = """
ALTER TABLE log_positions ADD COLUMN placed_at TIMESTAMPTZ;
COMMENT ON COLUMN log_positions.placed_at IS 'When it got its position, in domain time; never less than that of any before';
ALTER TABLE log_positions DISABLE TRIGGER log_positions_are_immutable;
UPDATE log_positions SET placed_at = known.at FROM (
    SELECT placed.position, max(event.occurred_at) OVER (ORDER BY placed.position) AS at
    FROM log_positions AS placed JOIN events AS event ON event.id = placed.event_id
) AS known WHERE known.position = log_positions.position;
ALTER TABLE log_positions ENABLE TRIGGER log_positions_are_immutable;
ALTER TABLE log_positions ALTER COLUMN placed_at SET DEFAULT clock_timestamp(), ALTER COLUMN placed_at SET NOT NULL;
CREATE INDEX log_positions_by_time ON log_positions (placed_at, position);
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0008_titles")]
    operations: list[Operation] = [RunSQL(POSITIONS)]
