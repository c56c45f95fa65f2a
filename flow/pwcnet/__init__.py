"""PWC-Net: the network, its cost volume, and weights in every form they come in."""
