"""Creates the table of registered GraphQL documents."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

DOCUMENTS = """
CREATE TABLE documents (
    sha256   TEXT COLLATE "C" NOT NULL,
    name     TEXT NOT NULL,
    text     TEXT NOT NULL,
    added_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT documents_pkey PRIMARY KEY (sha256),
    CONSTRAINT documents_digest CHECK (sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex'))
);
COMMENT ON TABLE documents IS 'GraphQL documents that may be asked for by the digest of their text';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0010_privilege")]
    operations: list[Operation] = [RunSQL(DOCUMENTS)]
