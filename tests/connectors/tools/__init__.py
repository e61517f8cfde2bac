"""The tools' own words."""
