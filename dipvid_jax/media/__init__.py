"""Frames, sound and masks: from files to arrays and back."""
