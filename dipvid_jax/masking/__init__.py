"""Masks for a clip that has none: from boxes, a still logo, or text."""
