"""Benchmarks: published figures as dated context, and what colleagues think of seven challenges beside facts."""
