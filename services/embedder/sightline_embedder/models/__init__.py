"""Building model artifacts: the only code that needs torch on a CPU host."""
