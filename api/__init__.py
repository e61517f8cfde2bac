"""Serves the product over HTTP and WebSocket: routes, credentials, limits and health around `schema`."""
