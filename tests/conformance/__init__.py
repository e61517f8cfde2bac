"""The field's own clients and audits, run against Earnest unchanged."""
