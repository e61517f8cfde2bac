"""The words of GraphQL for the domain: types, queries and mutations over `escrow`, without a rule of their own."""
