"""Erasure: everything that a home keeps of a person, found by any key, given to them, and erased.

What is kept where, and what becomes of it, stands in `plait.erasure.rules`, for every table, column and file.
"""
