"""Compiles validated GraphQL operations to plain Python functions; see the README beside it."""
