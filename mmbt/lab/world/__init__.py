"""The embedded world: short videos of moving shapes, generated from a seed."""
from .generate import generate_world
from .scenes import BACKGROUNDS, COLORS, MOTIONS, SHAPES, Scene, parse_caption

__all__ = [
    'BACKGROUNDS', 'COLORS', 'MOTIONS', 'SHAPES', 'Scene', 'generate_world', 'parse_caption'
]
