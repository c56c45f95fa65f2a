"""Trackers outside of this package: exchange folder, process, two drivers."""
