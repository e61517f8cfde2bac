"""Compiled operations against graphql-core: examples with schemas of their own, and random documents over the real one."""
