"""Payments, tested."""
