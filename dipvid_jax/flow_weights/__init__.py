"""Training of PWC-Net weights, as a run with a folder."""
