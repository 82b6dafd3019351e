"""Telling people: one message for each cause, by mail and webhook, not again until it changes, recovered once."""
