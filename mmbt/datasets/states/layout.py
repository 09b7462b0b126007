"""Where states lie in a folder, and what a record of them is.

``states.journal`` is a line for each file that is whole, with a checksum of each of its records,
behind one line of what all depend on; ``states.json``, written last, says that all are there.
``states-000000.bin`` holds records of one size: those of clip 0 with draw 0, 1, ..., of clip 1, ...
A record is, in float8, a scale for each token, with a mask the positions that it left visible, the
tokens of all layers, and 8 bytes that tell which clip it is.
"""
import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

JOURNAL, MANIFEST = 'states.journal', 'states.json'
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float8': torch.float8_e4m3fn}
LARGEST = 448.0  # of float8_e4m3fn
FILE_BYTES = 2**27  # of a file, about
NAME_BYTES = 8
BROKEN = b'\0' * NAME_BYTES


def file_name(number: int) -> str:
    """The name of a file of records."""
    return f'states-{number:06}.bin'


def name_mark(name: str) -> bytes:
    """8 bytes that tell a clip's name from others."""
    return hashlib.sha256(name.encode('utf-8', 'surrogateescape')).digest()[:NAME_BYTES]


@dataclass(frozen=True)
class StatesForm:
    """What every record of a folder has.

    Attributes:
        layers: Numbers of the layers, increasing.
        frames: Frames of a sample, of all its views together.
        tokens: Tokens that are kept of a frame, its CLS among them.
        width: Channels D.
        dtype: A name of :data:`DTYPES`.
        visible: Shape of the positions that a mask left visible, (N_vis,) or (T, N_vis); empty
            where all patches are kept.
        clip_len: Frames of a view.
        records: How many records a file has, but for the last.
    """

    layers: tuple[int, ...]
    frames: int
    tokens: int
    width: int
    dtype: str
    visible: tuple[int, ...]
    clip_len: int
    records: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, told: Any, source: str) -> 'StatesForm':
        """Read what :meth:`to_dict` gave.

        Raises:
            ValueError: If it is something else.
        """
        try:
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in told.items()}
            form = cls(**values)
            counts = (*form.layers, *form.visible, form.frames, form.tokens, form.width,
                      form.clip_len, form.records)
            if not (form.layers and form.dtype in DTYPES and form.records > 0
                    and all(type(each) is int and 0 <= each < 2**24 for each in counts)):
                raise ValueError('no form of records')
        except (TypeError, AttributeError, ValueError):
            raise ValueError(f'{source} does not say what its records are: damaged; delete the '
                             'folder and run mmbt cache again') from None
        return form

    @property
    def token_bytes(self) -> int:
        """Bytes of the tokens of a record."""
        shape = (len(self.layers), self.frames, self.tokens, self.width)
        return int(np.prod(shape)) * DTYPES[self.dtype].itemsize

    @property
    def scale_bytes(self) -> int:
        """Bytes of the scales of a record."""
        return 4 * len(self.layers) * self.frames * self.tokens * (self.dtype == 'float8')

    @property
    def visible_bytes(self) -> int:
        """Bytes of the positions of a record."""
        return 4 * int(np.prod(self.visible)) if self.visible else 0

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return self.token_bytes + self.scale_bytes + self.visible_bytes + NAME_BYTES

    def pack(self, name: str, tokens: Tensor, visible: Tensor | None) -> bytes:
        """A record of a clip.

        Args:
            name: The clip's.
            tokens: (layers, frames, tokens, D).
            visible: Positions that were left visible, of the shape ``visible``.
        """
        stored, scale = encode(tokens.float(), self.dtype)
        parts = [] if scale is None else [as_bytes(scale)]
        if visible is not None:
            parts.append(as_bytes(visible.to(torch.int32)))
        record = b''.join([*parts, as_bytes(stored), name_mark(name)])
        assert len(record) == self.record_bytes
        return record

    def broken(self) -> bytes:
        """The record of a clip that could not be read."""
        return bytes(self.record_bytes)

    def unpack(self, record: bytearray) -> dict[str, Tensor]:
        """``tokens`` (layers, frames, tokens, D), and ``scale`` and ``visible`` where there are.

        The tensors share the record's memory.
        """
        shape = (len(self.layers), self.frames, self.tokens)
        first, second = self.scale_bytes, self.scale_bytes + self.visible_bytes
        data = torch.frombuffer(record, dtype=torch.uint8)
        tokens = data[second:second + self.token_bytes].view(DTYPES[self.dtype])
        found = dict(tokens=tokens.view(*shape, self.width))
        if first:
            found['scale'] = data[:first].view(torch.float32).view(shape)
        if self.visible:
            found['visible'] = data[first:second].view(torch.int32).view(self.visible)
        return found


def encode(tokens: Tensor, dtype: str) -> tuple[Tensor, Tensor | None]:
    """Tokens in a precision, with the scale of each token where that is float8."""
    if dtype != 'float8':
        return tokens.to(DTYPES[dtype]), None
    scale = (tokens.abs().amax(dim=-1) / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
    return (tokens / scale[..., None]).to(DTYPES[dtype]), scale


def as_bytes(tensor: Tensor) -> bytes:
    """What a tensor holds."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
