"""Pairs of frames whose flow is known exactly, drawn on the device."""

from flow.procedural.scene import FlowPair, draw_pair
from flow.procedural.textures import FAMILIES

__all__ = ["FAMILIES", "FlowPair", "draw_pair"]
