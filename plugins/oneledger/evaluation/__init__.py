"""The evaluation: its rules as dated data, and runs as frozen things: drafts, approval, explanation, replay."""
