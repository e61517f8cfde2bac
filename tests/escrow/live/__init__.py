"""The log as it is written, and those who follow it."""
