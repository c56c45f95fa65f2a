"""Networks, their weights, and convolutions that are fast on a CPU."""
