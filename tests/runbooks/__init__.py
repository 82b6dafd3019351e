"""Runbooks: every failure has a page, every page has its form, and what it says to type works."""
