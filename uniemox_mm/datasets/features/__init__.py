"""Cached features of captions and images."""
