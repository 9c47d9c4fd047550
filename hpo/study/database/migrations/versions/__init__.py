"""The versions of our tables, oldest first, each with its way up and down.

A version imports nothing of ours that may change later, and is never edited once it was released. Nothing here is
public.
"""
