"""What a config means: its values, what they build, and `inpaint_video`."""
