"""Holds the history of the tables, one file a step, in plain SQL, since Tortoise's generator silently leaves constraints out.

A step that was released is never changed; the next one corrects it. The models mirror the result (a test compares).
"""
