"""Losses, schedule, updates and inference of a network on one clip."""
