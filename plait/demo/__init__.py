"""The demo company: made from a seed, exported by eight departments, with its truth beside it."""

from plait.demo.company import END, TooFewAccounts, write_demo

__all__ = ["END", "TooFewAccounts", "write_demo"]
