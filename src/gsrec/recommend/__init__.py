"""Recommending: item ids in, item ids out."""
