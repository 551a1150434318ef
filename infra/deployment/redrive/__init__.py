"""Bringing back what was given up."""
