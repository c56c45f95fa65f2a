"""Networks and their weights, and what makes them fast on a CPU."""
