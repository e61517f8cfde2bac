"""Holds Tortoise migrations of the delivery tables, all explicit SQL: Tortoise itself emits none for constraints."""
