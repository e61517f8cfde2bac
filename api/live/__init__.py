"""Serves subscriptions, over WebSocket and as server-sent events, through the runner that every other request uses."""
