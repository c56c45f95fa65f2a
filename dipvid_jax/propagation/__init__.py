"""What the clip itself shows of its hole, without a network."""
