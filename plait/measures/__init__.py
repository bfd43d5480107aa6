"""Measures: one file per question. A file here registers itself; names that begin with `_` are shared parts."""
