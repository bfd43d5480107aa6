"""plait: one customer timeline for every department."""

__version__ = "0.1.0"
