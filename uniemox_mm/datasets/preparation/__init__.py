"""Checks and rewrites a download before it is trained on."""
