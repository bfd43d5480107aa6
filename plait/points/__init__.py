"""Points: how a firm scores accounts, as data: fit, which does not fade, apart from engagement, which does."""
