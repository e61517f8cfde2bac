"""Exposes the domain in GraphQL: types, queries and mutations over `escrow`, without a rule of their own."""
