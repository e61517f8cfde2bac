"""Answers that go on: GraphQL over WebSocket and as server-sent events, through the same runner as every other request."""
