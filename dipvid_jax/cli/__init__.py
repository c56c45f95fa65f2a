"""The commands behind `bin/`: flags in, one library call."""
