"""The versions of our tables, oldest first, each with its upgrade and downgrade.

A version imports nothing of ours that may change later, only earlier versions. What it does is never changed after its
release. Nothing here is public.
"""
