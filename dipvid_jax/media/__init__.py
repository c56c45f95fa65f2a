"""Pictures, sound and masks: between files and arrays."""
