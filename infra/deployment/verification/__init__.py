"""Comparing table and cache: a sample on a schedule."""
