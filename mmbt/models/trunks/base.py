"""The frozen image-text model, seen one way: embed -> blocks -> norm -> proj."""
import contextlib
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence

import torch
from torch import Tensor, nn

from ..blocks import SpatialBlock
from ..checkpoints.card import ModelCard
from ..masks import gather_visible
from ..text import TextTower
from .float8 import check_float8, float8_block
from .layer import attend, feed_forward
from .preprocessing import Preprocessing
from .towers import Tower


@dataclass
class FrameTokens:
    """One layer's tokens of every frame.

    Attributes:
        cls: (B, T, D), each frame's CLS token.
        patches: (B, T, N, D), each frame's patch tokens.
    """

    cls: Tensor
    patches: Tensor


class Trunk(nn.Module):
    """The vision tower of an image-text model, with its text tower where there is one.

    A frozen trunk asks for no gradient, runs under ``no_grad`` and stays in eval mode whatever
    ``train()`` is called with. ``norm`` and ``proj`` let gradients pass to their input, since the
    branch's output goes through them (Eq. 5).

    Dialogue models read CLIP before its last layer, or have no last layer at all. ``drop_last``
    then tells how many layers of the whole CLIP are not run. What is left has no joint space, and
    neither has a tower without a projection.

    Args:
        visual: The library's vision tower.
        tower: How to read it.
        text: The text tower.
        frozen: Whether the towers are frozen.
        depth: Layers of the whole CLIP that the tower is from. None: those that it has.
        drop_last: How many of these, at the end, are not run.
        float8: Whether the layers' products behind a layer norm are in float8 and the others in
            bfloat16; for a frozen trunk in float32, on a processor with units for it (NVIDIA from
            Ada and Hopper on).
        arch: Its name in its library.
        preprocessing: How its frames were made; None is OpenAI's CLIP's mean and standard
            deviation, and nothing known of the resizing.

    Attributes:
        card: What has to be the same wherever it is used: ``mean``, ``std``, ``image_size``,
            ``resize_mode``, ``tokenizer``, ``context_length``, ``activation``, ...
        width: Channels D of a token.
        embed_dim: Channels E of the joint space; None where there is none.
        num_layers: Number of layers L that are run.
        num_patches: Patch positions N of a frame.
        num_heads: Attention heads of a layer.
        image_size: Height and width of a frame in pixels.
        eps: Epsilon of the layer norms.

    Raises:
        ValueError: If layers are to be run that the tower lacks, or none at all, or the tower has
            more than the whole CLIP; or float8 is asked for and cannot be had.
    """

    def __init__(self,
                 visual: nn.Module,
                 tower: Tower,
                 text: Optional[TextTower] = None,
                 frozen: bool = True,
                 depth: Optional[int] = None,
                 drop_last: int = 0,
                 float8: bool = False,
                 arch: Optional[str] = None,
                 preprocessing: Optional[Preprocessing] = None) -> None:
        super().__init__()
        if float8:
            check_float8(tower, frozen)
        self.float8 = float8
        self.visual = visual
        self.tower = tower
        self.text = text
        self.drop_last = drop_last
        whole = tower.num_layers if depth is None else depth
        self.num_layers: int = whole - drop_last
        if drop_last < 0 or not 1 <= self.num_layers <= tower.num_layers <= whole:
            raise ValueError(f'of {whole} layers without the last {drop_last} the vision tower '
                             f'has {tower.num_layers}; check depth and drop_last')
        self.width = tower.width
        self.embed_dim = None if drop_last else tower.embed_dim
        self.num_patches = tower.num_patches
        self.num_heads = tower.num_heads
        self.image_size = tower.image_size
        self.eps = tower.eps
        self.card = self._card(arch, whole, preprocessing or Preprocessing())
        self.freeze(frozen)

    def _card(self, arch: Optional[str], depth: int, frames: Preprocessing) -> ModelCard:
        text = self.text
        words: Dict[str, Any] = {} if text is None else dict(
            tokenizer=str(text.tokenizer), context_length=text.context_length,
            text_heads=getattr(text.transformer, 'heads', None), text_pooling=text.pooling)
        return ModelCard(
            arch=arch or type(self.visual).__name__, depth=depth, width=self.width,
            num_heads=self.num_heads, activation=self.tower.activation, pooling='cls',
            image_size=self.image_size, mean=frames.mean, std=frames.std,
            resize_mode=frames.resize_mode, interpolation=frames.interpolation, **words)

    def tokenize(self, texts: Sequence[str], context_length: Optional[int] = None) -> Tensor:
        """(M, L) token ids of M texts, by the text tower's own tokenizer.

        See :meth:`TextTower.tokenize`.

        Raises:
            ValueError: If there is no text tower.
        """
        if self.text is None:
            raise ValueError('this trunk has no text tower')
        return self.text.tokenize(texts, context_length)

    def embed(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) normalised images -> (M, 1 + N, D), V(0), the input of the first layer."""
        return self.tower.embed(images)

    def block(self, index: int, tokens: Tensor) -> Tensor:
        """Run layer ``index`` (0-based) on (M, 1 + N, D)."""
        if self.float8:
            return float8_block(tokens, self.tower.block_state(index), self.num_heads,
                                self.tower.activation, self.eps)
        return self.tower.block(index, tokens)

    def layer(self, index: int, tokens: Tensor, joint: bool = False) -> Tensor:
        """Run layer ``index`` (0-based) on clips, with gradients to the tokens.

        Args:
            index: The layer.
            tokens: (B, T, 1 + N, D).
            joint: Whether all T * (1 + N) tokens of a clip attend to each other. Else each frame
                is by itself.

        Returns:
            (B, T, 1 + N, D).
        """
        merged = (1, 2) if joint else (0, 1)
        return self.block(index, tokens.flatten(*merged)).reshape(tokens.shape)

    def attend(self, index: int, tokens: Tensor) -> Tensor:
        """The attention of layer ``index`` (0-based), first line of Eq. 1.

        :meth:`feed_forward` of it is :meth:`block` in eval mode, without float8. Gradients pass
        to the tokens, and to the weights of an open trunk.

        Args:
            index: The layer.
            tokens: (..., 1 + N, D); tokens attend within one sequence.

        Returns:
            (..., 1 + N, D).
        """
        return attend(tokens, self.tower.block_state(index), self.num_heads, self.eps)

    def feed_forward(self, index: int, tokens: Tensor) -> Tensor:
        """The MLP of layer ``index`` (0-based), second line of Eq. 1, (..., D) -> (..., D).

        As :meth:`attend`.
        """
        return feed_forward(tokens, self.tower.block_state(index), self.tower.activation, self.eps)

    def norm(self, tokens: Tensor) -> Tensor:
        """The layer norm before the projection, (..., D) -> (..., D)."""
        return self.tower.norm(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        """W_v-proj into the joint space, (..., D) -> (..., E).

        Raises:
            ValueError: If there is no joint space.
        """
        if self.embed_dim is None:
            raise ValueError('this trunk has no joint space: it lacks its last layers or a '
                             'projection')
        return self.tower.proj(tokens)

    def frame_mean(self, cls: Tensor) -> Optional[Tensor]:
        """Normalise and project each frame's CLS, and average, (B, T, D) -> (B, E).

        None if there is no joint space.
        """
        return None if self.embed_dim is None else self.proj(self.norm(cls)).mean(dim=1)

    @property
    def position_embedding(self) -> Tensor:
        """(1 + N, D), CLIP's spatial position embedding P^s, the CLS's first."""
        return self.tower.position_embedding

    def spatial_block(self, index: int, drop_path: float = 0.,
                      eps: Optional[float] = None) -> SpatialBlock:
        """A trainable copy of layer ``index`` (0-based) as a block of the branch.

        Args:
            index: The layer.
            drop_path: Stochastic depth of the copy.
            eps: Epsilon of its layer norms. None: the layer's own.
        """
        state = self.tower.block_state(index)
        copy = SpatialBlock(
            self.width,
            self.num_heads,
            mlp_width=len(state['fc1.bias']),
            activation=self.tower.activation,
            eps=self.eps if eps is None else eps,
            drop_path=drop_path)
        copy.load_state_dict(state)
        return copy

    def canonical_state(self) -> Dict[str, Tensor]:
        """The weights of what is run, under names that are the same for every library.

        Without a joint space, ``norm.*`` and ``proj.*`` are left out.
        """
        state = dict(self.tower.stem_state())
        for index in range(self.num_layers):
            for name, value in self.tower.block_state(index).items():
                state[f'blocks.{index}.{name}'] = value
        if self.embed_dim is not None:
            state.update(self.tower.head_state())
        return state

    def freeze(self, frozen: bool) -> None:
        """Freeze both towers, or open them to training."""
        self.frozen = frozen
        self.requires_grad_(not frozen)
        self.train(not frozen)

    def train(self, mode: bool = True) -> 'Trunk':
        return super().train(mode and not self.frozen)

    def hidden_states(self,
                      imgs: Tensor,
                      layers: Iterable[int],
                      visible: Optional[Tensor] = None) -> List[FrameTokens]:
        """Run the frames and keep the outputs of the layers asked for, no others.

        Args:
            imgs: (B, T, 3, H, W) normalised frames.
            layers: Increasing layer numbers in 0..L; 0 is V(0), l is the output of layer l.
            visible: Patch positions to keep of each, (B, N_vis) or (B, T, N_vis) int64; the layers
                themselves see all. None keeps all.

        Returns:
            The tokens of each such layer, in the order of ``layers``.

        Raises:
            ValueError: If the frames have not the trunk's image size.
        """
        self.check_frames(imgs)
        batch, frames = imgs.shape[:2]
        wanted = list(layers)
        assert wanted == sorted(set(wanted)) and 0 <= wanted[0] and wanted[-1] <= self.num_layers
        kept = []
        with torch.no_grad() if self.frozen else contextlib.nullcontext():
            tokens = self.embed(imgs.flatten(0, 1))
            for layer in range(wanted[-1] + 1):
                if layer > 0:
                    tokens = self.block(layer - 1, tokens)
                if layer in wanted:
                    states = tokens.unflatten(0, (batch, frames))
                    states = states.to(imgs.dtype) if self.float8 else states  # V(0) under autocast
                    cls, patches = states[:, :, 0], states[:, :, 1:]
                    if visible is not None:  # copies, so that the whole layer can be given back
                        cls, patches = cls.clone(), gather_visible(patches, visible)
                    kept.append(FrameTokens(cls, patches))
        return kept

    def check_frames(self, imgs: Tensor) -> None:
        """Refuse anything but (B, T, 3, H, W) of the trunk's image size."""
        if imgs.ndim != 5 or imgs.shape[2] != 3 or tuple(imgs.shape[3:]) != self.image_size:
            height, width = self.image_size
            raise ValueError(f'the trunk takes frames of (B, T, 3, {height}, {width}), got '
                             f'{tuple(imgs.shape)}; resize or crop in the pipeline')
