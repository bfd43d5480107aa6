"""plait: one customer timeline for every department."""
