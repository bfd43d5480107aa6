"""The chance of an outcome: a calibrated model, its proof on later rows, and the columns that know the outcome."""
