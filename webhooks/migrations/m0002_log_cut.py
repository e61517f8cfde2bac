"""Lets a delivery tell that the log was cut; like a test it brings its body along, since the log has no such event."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

LOG_CUT = """
ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_kind,
    DROP CONSTRAINT deliveries_body,
    DROP CONSTRAINT deliveries_position,
    ADD CONSTRAINT deliveries_kind CHECK (kind IN ('EVENT', 'REPLAY', 'REDELIVERY', 'TEST', 'LOG_CUT')) NOT VALID,
    ADD CONSTRAINT deliveries_body CHECK ((body IS NOT NULL) = (kind IN ('TEST', 'LOG_CUT'))) NOT VALID,
    ADD CONSTRAINT deliveries_position CHECK (position >= 0 AND (position = 0) = (kind IN ('TEST', 'LOG_CUT'))) NOT VALID;
COMMENT ON COLUMN deliveries.body IS 'The event of a test or of a cut, as one of the log would be stored';
"""


class Migration(Before):
    release = "1.1.0"
    excused = dict.fromkeys(
        (f"{table}deliveries_{name}" for table in ("", "deliveries.") for name in ("kind", "body", "position")),
        "one that lets more through takes its place",
    )
    dependencies = [("webhooks", "m0001_deliveries")]
    operations: list[Operation] = [RunSQL(LOG_CUT)]
