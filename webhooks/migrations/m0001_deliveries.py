"""Creates the tables of what is delivered to whom, how far it came, and every attempt at it.

A lane is a cursor: one endpoint's deliveries of one stream, in order. Nothing here has a foreign key to what commands write:
deliveries are made by the thousand, and a test and the audit compare instead.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

SUBSCRIPTIONS = """
CREATE TABLE subscriptions (
    endpoint_id    TEXT COLLATE "C" NOT NULL,
    since_position BIGINT NOT NULL,
    until_position BIGINT NOT NULL DEFAULT 9223372036854775807,
    account_id     TEXT COLLATE "C" NOT NULL,
    event_types    TEXT[] NOT NULL,
    contract_ids   TEXT[],
    CONSTRAINT subscriptions_pkey PRIMARY KEY (endpoint_id, since_position),
    CONSTRAINT subscriptions_span CHECK (since_position >= 1 AND until_position >= since_position)
);
COMMENT ON TABLE subscriptions IS 'Which events an endpoint gets: those after since_position, up to until_position';
CREATE INDEX subscriptions_by_account ON subscriptions (account_id, until_position);

CREATE TABLE endpoint_health (
    endpoint_id   TEXT COLLATE "C" NOT NULL,
    failures      INT NOT NULL DEFAULT 0,
    failing_since TIMESTAMPTZ,
    probation     BOOLEAN NOT NULL DEFAULT false,
    openings      INT NOT NULL DEFAULT 0,
    open_until    TIMESTAMPTZ,
    task          TEXT,
    CONSTRAINT endpoint_health_pkey PRIMARY KEY (endpoint_id),
    CONSTRAINT endpoint_health_counters CHECK (failures >= 0 AND openings >= 0),
    CONSTRAINT endpoint_health_failing CHECK ((failures > 0) = (failing_since IS NOT NULL)),
    CONSTRAINT endpoint_health_task CHECK (task IN ('WAKE', 'END'))
);
COMMENT ON TABLE endpoint_health IS 'How the attempts at an endpoint went lately, all its lanes together; real time';
COMMENT ON COLUMN endpoint_health.failures IS 'Failed attempts since the last success';
COMMENT ON COLUMN endpoint_health.probation IS 'One request at a time until one succeeds';
COMMENT ON COLUMN endpoint_health.open_until IS 'The circuit breaker: nothing is sent before';
COMMENT ON COLUMN endpoint_health.task IS 'What is to be done with its lanes: all that wait become due, or all end';
CREATE INDEX endpoint_health_tasks ON endpoint_health (endpoint_id) WHERE task IS NOT NULL;
CREATE INDEX endpoint_health_open ON endpoint_health (open_until) WHERE open_until IS NOT NULL;
"""

DELIVERIES = """
CREATE TABLE lanes (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    lane        TEXT COLLATE "C" NOT NULL,
    done        BIGINT NOT NULL,
    tail        BIGINT NOT NULL,
    failures    INT NOT NULL DEFAULT 0,
    given_up    TEXT COLLATE "C",
    due_at      TIMESTAMPTZ,
    token       UUID,
    leased_at   TIMESTAMPTZ,
    CONSTRAINT lanes_pkey PRIMARY KEY (endpoint_id, lane),
    CONSTRAINT lanes_idle_only_when_done CHECK (due_at IS NOT NULL OR done = tail),
    CONSTRAINT lanes_done CHECK (done <= tail),
    CONSTRAINT lanes_failures CHECK (failures >= 0),
    CONSTRAINT lanes_lease CHECK ((token IS NULL) = (leased_at IS NULL) AND (token IS NULL OR due_at IS NOT NULL))
) WITH (fillfactor = 70);
COMMENT ON COLUMN lanes.lane IS 'The stream, or what was asked for beside it: a replay with its stream, one redelivery, one test';
COMMENT ON COLUMN lanes.done IS 'The position up to which every delivery is final';
COMMENT ON COLUMN lanes.tail IS 'The position of the last delivery';
COMMENT ON COLUMN lanes.failures IS 'Attempts at the first delivery that is not final which used one up';
COMMENT ON COLUMN lanes.given_up IS 'The event of the delivery before that one, if it was given up';
COMMENT ON COLUMN lanes.due_at IS 'Look at it then: the next attempt, or the end of the lease; NULL if nothing waits';
CREATE INDEX lanes_due ON lanes (endpoint_id, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE deliveries (
    id          TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    lane        TEXT COLLATE "C" NOT NULL,
    position    BIGINT NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    event_type  TEXT COLLATE "C" NOT NULL,
    stream_id   TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'EVENT',
    state       TEXT NOT NULL DEFAULT 'PENDING',
    body        TEXT,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    finished_at TIMESTAMPTZ,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT deliveries_once UNIQUE (endpoint_id, lane, position),
    CONSTRAINT deliveries_position CHECK (position >= 0 AND (position = 0) = (kind = 'TEST')),
    CONSTRAINT deliveries_kind CHECK (kind IN ('EVENT', 'REPLAY', 'REDELIVERY', 'TEST')),
    CONSTRAINT deliveries_lane CHECK ((kind = 'EVENT') = (lane = stream_id)),
    CONSTRAINT deliveries_state CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')),
    CONSTRAINT deliveries_final CHECK ((state = 'PENDING') = (finished_at IS NULL)),
    CONSTRAINT deliveries_body CHECK ((body IS NOT NULL) = (kind = 'TEST'))
) WITH (fillfactor = 85);
COMMENT ON COLUMN deliveries.position IS 'That of the event in the log; 0 for a test, whose event is in no log';
COMMENT ON COLUMN deliveries.body IS 'The event of a test, as one of the log would be stored';
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);

CREATE TABLE delivery_attempts (
    id            TEXT COLLATE "C" NOT NULL,
    delivery_id   TEXT COLLATE "C" NOT NULL,
    token         UUID NOT NULL,
    started_at    TIMESTAMPTZ NOT NULL,
    status        INT,
    error         TEXT,
    address       TEXT,
    dns_ms        REAL,
    connect_ms    REAL,
    first_byte_ms REAL,
    total_ms      REAL,
    excerpt       BYTEA,
    is_late       BOOLEAN NOT NULL DEFAULT false,
    CONSTRAINT delivery_attempts_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_attempts_once UNIQUE (delivery_id, token),
    CONSTRAINT delivery_attempts_status CHECK (status BETWEEN 100 AND 999),
    CONSTRAINT delivery_attempts_have_an_outcome CHECK (status IS NOT NULL OR error IS NOT NULL),
    CONSTRAINT delivery_attempts_excerpt CHECK (octet_length(excerpt) <= 16384)
);
COMMENT ON COLUMN delivery_attempts.token IS 'The lease that it was made under';
COMMENT ON COLUMN delivery_attempts.is_late IS 'Its answer came after the lease was over and counted for nothing';
"""

REPLAYS = """
CREATE TABLE replays (
    id             TEXT COLLATE "C" NOT NULL,
    endpoint_id    TEXT COLLATE "C" NOT NULL,
    after_position BIGINT NOT NULL,
    next_position  BIGINT NOT NULL,
    until_position BIGINT NOT NULL,
    deliveries     BIGINT NOT NULL DEFAULT 0,
    due_at         TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT replays_pkey PRIMARY KEY (id),
    CONSTRAINT replays_span CHECK (0 <= after_position AND after_position < next_position),
    CONSTRAINT replays_deliveries CHECK (deliveries >= 0),
    CONSTRAINT replays_over CHECK (due_at IS NULL OR next_position <= until_position)
);
COMMENT ON COLUMN replays.next_position IS 'The first position of the log that it has not looked at yet';
COMMENT ON COLUMN replays.due_at IS 'When the next events get their deliveries; NULL once it is over';
CREATE INDEX replays_due ON replays (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX replays_by_endpoint ON replays (endpoint_id, id);

CREATE TABLE delivery_retention (
    id                 SMALLINT NOT NULL DEFAULT 1,
    kept_from_position BIGINT NOT NULL DEFAULT 1,
    CONSTRAINT delivery_retention_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_retention_is_one_row CHECK (id = 1),
    CONSTRAINT delivery_retention_starts_at_one CHECK (kept_from_position >= 1)
);
COMMENT ON TABLE delivery_retention IS 'From which position on finished deliveries are kept: exactly one row';
INSERT INTO delivery_retention DEFAULT VALUES;
"""

NEW_ID = """
CREATE FUNCTION new_attempt_id() RETURNS TEXT LANGUAGE sql VOLATILE AS $$
    SELECT 'att_' || string_agg(
        substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits FROM 5 * n + 1 FOR 5)::int + 1, 1), '' ORDER BY n)
    FROM (SELECT B'00' || ('x' || replace(uuidv7()::text, '-', ''))::bit(128) AS bits) AS id, generate_series(0, 25) AS n
$$;
COMMENT ON FUNCTION new_attempt_id IS 'An identifier as programs make them, for rows that only a statement knows of';
"""


class Migration(migrations.Migration):
    initial = True
    operations: list[Operation] = [RunSQL(part) for part in (SUBSCRIPTIONS, DELIVERIES, REPLAYS, NEW_ID)]
