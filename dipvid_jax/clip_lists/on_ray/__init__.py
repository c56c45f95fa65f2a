"""A list of clips on a Ray cluster, or as tasks on this machine."""
