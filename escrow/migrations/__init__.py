"""The history of the tables, one file a step, in plain SQL: Tortoise's own generator leaves constraints out silently.

A step that was released is never changed; the next one corrects it. The models mirror the result (a test compares).
"""
