"""Tells of the packages that Earnest is made of: what is known against them, their licences, and a list of them all."""
