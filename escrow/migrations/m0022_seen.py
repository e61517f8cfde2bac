"""Keeps with events and orders the trace that they belong to, and adds the logs of what operators did and of refused credentials.

Rows of before, and those that an earlier release still writes, have no trace: theirs begins where they are taken up.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

TRACES = """
ALTER TABLE events ADD COLUMN trace TEXT;
COMMENT ON COLUMN events.trace IS 'The traceparent of what wrote it, and what the client called its request; part of no hash';
ALTER TABLE payment_orders ADD COLUMN trace TEXT;
COMMENT ON COLUMN payment_orders.trace IS 'The traceparent of the work that made it';
"""

ACTS = """
CREATE TABLE operator_acts (
    id         BIGINT GENERATED ALWAYS AS IDENTITY,
    at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    act        TEXT NOT NULL,
    subject    TEXT,
    account_id TEXT COLLATE "C",
    credential TEXT COLLATE "C",
    member_id  TEXT COLLATE "C",
    trace_id   TEXT COLLATE "C" NOT NULL,
    CONSTRAINT operator_acts_pkey PRIMARY KEY (id),
    CONSTRAINT operator_acts_size CHECK (octet_length(act) <= 100 AND octet_length(subject) <= 200)
);
COMMENT ON TABLE operator_acts IS 'What operators set out to do, written before it is done';
COMMENT ON COLUMN operator_acts.at IS 'In real time';
COMMENT ON COLUMN operator_acts.credential IS 'The key or session; NULL for the command line, which needs none';

CREATE TABLE operator_act_ends (
    act_id BIGINT NOT NULL,
    at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    code   TEXT,
    CONSTRAINT operator_act_ends_pkey PRIMARY KEY (act_id),
    CONSTRAINT operator_act_ends_act FOREIGN KEY (act_id) REFERENCES operator_acts (id),
    CONSTRAINT operator_act_ends_size CHECK (octet_length(code) <= 100)
);
COMMENT ON TABLE operator_act_ends IS 'What came of them; none for what a process was killed at: the event log knows';
COMMENT ON COLUMN operator_act_ends.code IS 'Why it was refused, or the kind of its failure; NULL if it was done';

CREATE TRIGGER operator_acts_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_acts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operator_act_ends_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_act_ends
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

REFUSALS = """
CREATE TABLE refused_credentials (
    id          BIGINT GENERATED ALWAYS AS IDENTITY,
    since       TIMESTAMPTZ NOT NULL,
    until       TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    reason      TEXT NOT NULL,
    client      TEXT,
    times       BIGINT NOT NULL,
    trace_id    TEXT COLLATE "C",
    CONSTRAINT refused_credentials_pkey PRIMARY KEY (id),
    CONSTRAINT refused_credentials_times CHECK (times >= 1),
    CONSTRAINT refused_credentials_size CHECK (octet_length(reason) <= 100 AND octet_length(client) <= 100)
);
COMMENT ON TABLE refused_credentials IS 'Credentials that named nobody, some rows a minute for each process however many came';
COMMENT ON COLUMN refused_credentials.client IS 'The address or network; NULL for all that got no row of their own';
COMMENT ON COLUMN refused_credentials.trace_id IS 'That of the last one';

CREATE TRIGGER refused_credentials_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON refused_credentials
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(Before):
    release = "1.0.0"
    dependencies = [("escrow", "m0021_providers")]
    operations: list[Operation] = [RunSQL(TRACES), RunSQL(ACTS), RunSQL(REFUSALS)]
