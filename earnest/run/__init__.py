"""Runs a deployment on one machine: the embedded mode, the supervisor, and the server of a web process."""
