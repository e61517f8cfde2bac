"""What the delivery tables refuse, and rows in them; `tests.escrow.test_tables` tries it with those of the domain."""

from typing import Final

FILLED: Final = """
INSERT INTO subscriptions VALUES ('whe_1', 1, 5, 'acc_1', '{*}');
INSERT INTO endpoint_health (endpoint_id) VALUES ('whe_1');
INSERT INTO lanes VALUES ('whe_1', 'ctr_1', 0, 7, 0, NULL, now(), uuidv7(), now());
INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id)
    VALUES ('dlv_1', 'whe_1', 'ctr_1', 7, 'evt_1', 'x', 'ctr_1');
INSERT INTO delivery_attempts (id, delivery_id, token, started_at, status) VALUES ('att_1', 'dlv_1', uuidv7(), now(), 200);
INSERT INTO replays VALUES ('rpl_1', 'whe_1', 0, 1, 9, 0, now());
"""

FORBIDDEN: Final = {
    "subscriptions_pkey": "INSERT INTO subscriptions TABLE subscriptions",
    "subscriptions_span": "UPDATE subscriptions SET until_position = 0",
    "endpoint_health_pkey": "INSERT INTO endpoint_health TABLE endpoint_health",
    "endpoint_health_counters": "UPDATE endpoint_health SET openings = -1",
    "endpoint_health_failing": "UPDATE endpoint_health SET failures = 1",
    "endpoint_health_task": "UPDATE endpoint_health SET task = 'REST'",
    "lanes_pkey": "INSERT INTO lanes TABLE lanes",
    "lanes_idle_only_when_done": "UPDATE lanes SET due_at = NULL, token = NULL, leased_at = NULL",
    "lanes_done": "UPDATE lanes SET done = tail + 1",
    "lanes_failures": "UPDATE lanes SET failures = -1",
    "lanes_lease": "UPDATE lanes SET token = NULL",
    "deliveries_pkey": "INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id) "
    "SELECT id, endpoint_id, lane, 8, event_id, event_type, stream_id FROM deliveries",
    "deliveries_once": "INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id) "
    "SELECT 'dlv_2', endpoint_id, lane, position, event_id, event_type, stream_id FROM deliveries",
    "deliveries_position": "UPDATE deliveries SET position = 0",
    "deliveries_kind": "UPDATE deliveries SET kind = 'GIFT', lane = 'dlv_1'",
    "deliveries_lane": "UPDATE deliveries SET lane = 'dlv_1'",
    "deliveries_state": "UPDATE deliveries SET state = 'LOST', finished_at = now()",
    "deliveries_final": "UPDATE deliveries SET state = 'FAILED'",
    "deliveries_body": "UPDATE deliveries SET body = '{}'",
    "delivery_attempts_pkey": "INSERT INTO delivery_attempts (id, delivery_id, token, started_at, status) "
    "SELECT id, delivery_id, uuidv7(), started_at, status FROM delivery_attempts",
    "delivery_attempts_once": "INSERT INTO delivery_attempts (id, delivery_id, token, started_at, status) "
    "SELECT 'att_2', delivery_id, token, started_at, status FROM delivery_attempts",
    "delivery_attempts_status": "UPDATE delivery_attempts SET status = 7",
    "delivery_attempts_have_an_outcome": "UPDATE delivery_attempts SET status = NULL",
    "delivery_attempts_excerpt": "UPDATE delivery_attempts SET excerpt = repeat('x', 16385)::bytea",
    "replays_pkey": "INSERT INTO replays TABLE replays",
    "replays_span": "UPDATE replays SET next_position = 0",
    "replays_deliveries": "UPDATE replays SET deliveries = -1",
    "replays_over": "UPDATE replays SET next_position = 10",
    "delivery_retention_pkey": "INSERT INTO delivery_retention DEFAULT VALUES",
    "delivery_retention_is_one_row": "UPDATE delivery_retention SET id = 2",
    "delivery_retention_starts_at_one": "UPDATE delivery_retention SET kept_from_position = 0",
}
"""By the name of the constraint or unique index: a statement that nothing else refuses."""

INDEXES: Final = {
    "deliveries_by_endpoint", "deliveries_by_event", "endpoint_health_open", "endpoint_health_tasks", "lanes_due",
    "replays_by_endpoint", "replays_due", "subscriptions_by_account",
}  # fmt: skip
