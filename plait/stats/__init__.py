"""Statistics: arrays in, arrays out. No clock, no facts, no files; every function names its source and its units."""
