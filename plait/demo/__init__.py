"""The demo company: made from a seed, exported by eight departments, with its truth beside it."""
