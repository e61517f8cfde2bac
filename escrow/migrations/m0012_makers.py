"""Notes by which key a key and a calendar's address were made, so that what a key has made can end with it.

Who made a key stands in the log as the actor of its event; keys made by the command line have no maker. Addresses that are
there already have none either: nobody noted it.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

MAKERS = """
ALTER TABLE api_keys ADD COLUMN created_by TEXT COLLATE "C";
COMMENT ON COLUMN api_keys.created_by IS 'The key that made it; NULL if that was no key';
UPDATE api_keys SET created_by = event.body::jsonb -> 'actor' ->> 'key'
    FROM events AS event
    WHERE event.type = 'key.created' AND event.stream_id = api_keys.account_id
    AND event.body::jsonb -> 'data' ->> 'keyId' = api_keys.id;
CREATE INDEX api_keys_by_maker ON api_keys (created_by) WHERE created_by IS NOT NULL;

ALTER TABLE calendar_tokens ADD COLUMN key_id TEXT COLLATE "C";
COMMENT ON COLUMN calendar_tokens.key_id IS 'The key that made it, with which it ends; NULL if that was no key, or is not known';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0007_reversals")]
    operations: list[Operation] = [RunSQL(MAKERS)]
