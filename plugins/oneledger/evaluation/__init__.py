"""Evaluation runs as frozen things: drafts, approval, explanation, comparison, simulation and replay."""
