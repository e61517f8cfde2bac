"""Holds the domain: rules, money, log and tables. It imports none of the packages that serve it to the outside."""
