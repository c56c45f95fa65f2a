"""Training of PWC-Net weights in an output folder that can be resumed."""
