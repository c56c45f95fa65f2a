"""What the clip itself shows of the hole's content, without a network."""
