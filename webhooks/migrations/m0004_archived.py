"""Notes that old deliveries are moved to an archive, from the first time that somebody asks for it."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

ARCHIVED = """
ALTER TABLE delivery_retention ADD COLUMN is_archived BOOLEAN NOT NULL DEFAULT false;
COMMENT ON COLUMN delivery_retention.is_archived IS
    'Somebody asked for old deliveries to be moved to an archive, though none was old yet: nothing is forgotten';
"""


class Migration(Before):
    release = "1.1.0"
    dependencies = [("webhooks", "m0003_log_cut_validated")]
    operations: list[Operation] = [RunSQL(ARCHIVED)]
