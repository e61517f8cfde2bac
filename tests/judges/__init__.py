"""Connectors against the tools themselves: a real Trac, a stateful Jira, and GitHub by its own schema and examples."""
