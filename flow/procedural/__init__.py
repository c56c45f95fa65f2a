"""Draws pairs of frames with exact flow, on the device."""

from flow.procedural.scene import FlowPair, draw_pair
from flow.procedural.textures import FAMILIES

__all__ = ["FAMILIES", "FlowPair", "draw_pair"]
