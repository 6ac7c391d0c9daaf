"""Experiments: configured runs, comparisons, and the thesis's table."""
