"""The domain: rules, money, log and tables. It imports none of the packages that open a door to it."""
