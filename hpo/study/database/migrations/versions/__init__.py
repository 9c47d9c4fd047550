"""The versions of our tables, oldest first, each with its upgrade and downgrade.

A version imports nothing of ours that may change later, and is never edited after its release. Nothing here is public.
"""
