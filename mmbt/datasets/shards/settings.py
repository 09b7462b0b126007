"""What a set of shards is made of."""
from dataclasses import dataclass


@dataclass(frozen=True)
class ShardSettings:
    """How clips become shards.

    Args:
        clips: Annotated videos of a shard.
        frames: Frames kept of a video, those that ``ReadFrames(frames, test_mode=True)`` takes;
            fewer of a video that has fewer.
        fps: Frames kept of a second, in place of ``frames``.
        short_side: Frames are shrunk to it, never enlarged; 0 keeps them.
        quality: Of the JPEGs, 1 to 100.
    """

    clips: int = 1000
    frames: int = 16
    fps: float | None = None
    short_side: int = 256
    quality: int = 90

    def __post_init__(self) -> None:
        for name, least, most in (('clips', 1, 10**6), ('frames', 1, 10**4),
                                  ('short_side', 0, 10**5), ('quality', 1, 100)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f'{name} must be {least} to {most}, got {getattr(self, name)}')
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f'fps must be above 0, got {self.fps}')
