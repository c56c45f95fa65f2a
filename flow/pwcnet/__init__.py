"""PWC-Net: the network, its cost volume, and reading and writing its weights."""
