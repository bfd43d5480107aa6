"""Proposals: a mapping for exports that nobody has described, made from names, types and values (docs/map.md).

Files are profiled, what each is and what each column becomes is judged by a general vocabulary, the facts follow from
that, and what cannot be told is asked. Nothing is special to one tool: those that plait knows stand in `known`.
"""
