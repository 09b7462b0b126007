"""The frozen image-text model, seen one way: embed -> blocks -> norm -> proj."""
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .card import ModelCard
from .class_features import KeptFeatures
from .families.names import rename_old
from .families.preprocessing import Preprocessing
from .float8 import check_float8, put_in_float8
from .layer import Block
from .states import FrameTokens, FrozenStates, KeptStates, SharedFrames, weights_mark
from .text import TextTower
from .vit import VisionTransformer

TRUNK = 'backbone.trunk.'
"""What precedes a trunk's weights in a checkpoint."""


class Trunk(nn.Module):
    """The vision tower of an image-text model, with its text tower where there is one.

    A frozen trunk asks for no gradient, runs under ``no_grad`` and stays in eval mode whatever
    ``train()`` is called with. ``norm`` and ``proj`` let gradients pass to their input, since the
    branch's output goes through them (Eq. 5).

    Dialogue models read CLIP before its last layer, or have no last layer at all. ``drop_last``
    then tells how many layers of the whole CLIP are not run. What is left has no joint space, and
    neither has a tower without a projection.

    Args:
        visual: The vision tower.
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

    text: TextTower | None

    def __init__(self,
                 visual: VisionTransformer,
                 text: TextTower | None = None,
                 frozen: bool = True,
                 depth: int | None = None,
                 drop_last: int = 0,
                 float8: bool = False,
                 arch: str | None = None,
                 preprocessing: Preprocessing | None = None) -> None:
        super().__init__()
        options = visual.options
        if float8:
            check_float8(options.width, frozen)
            put_in_float8(visual.blocks)
        self.float8 = float8
        self.visual = visual
        self.text = text
        self.drop_last = drop_last
        whole = options.num_layers if depth is None else depth
        self.num_layers: int = whole - drop_last
        if drop_last < 0 or not 1 <= self.num_layers <= options.num_layers <= whole:
            raise ValueError(f'of {whole} layers without the last {drop_last} the vision tower '
                             f'has {options.num_layers}; check depth and drop_last')
        self.width = options.width
        self.embed_dim = None if drop_last else options.embed_dim
        self.num_patches = options.num_patches
        self.num_heads = options.num_heads
        self.image_size = options.image_size
        self.eps = options.eps
        self.card = self._card(arch, whole, preprocessing or Preprocessing())
        self._kept_mark = KeptFeatures()
        self.freeze(frozen)
        self._register_load_state_dict_pre_hook(name_as_now, with_module=True)

    def _card(self, arch: str | None, depth: int, frames: Preprocessing) -> ModelCard:
        text, options = self.text, self.visual.options
        words: dict[str, Any] = {} if text is None else dict(
            tokenizer=str(text.tokenizer), context_length=text.context_length,
            text_heads=getattr(text.transformer, 'heads', None), text_pooling=text.pooling)
        return ModelCard(
            arch=arch or type(self.visual).__name__, depth=depth, width=self.width,
            num_heads=self.num_heads, activation=options.activation, pooling=options.pooling,
            image_size=self.image_size, mean=frames.mean, std=frames.std,
            resize_mode=frames.resize_mode, interpolation=frames.interpolation, **words)

    def tokenize(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
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
        return self.visual.embed(images)

    def block(self, index: int, tokens: Tensor) -> Tensor:
        """Run layer ``index`` (0-based) on (M, 1 + N, D)."""
        if self.float8:  # float32 between the products, as under autocast
            with torch.autocast(tokens.device.type, enabled=False), torch.no_grad():
                return self.visual.block(index, tokens.float())
        return self.visual.block(index, tokens)

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

        :meth:`feed_forward` of it is :meth:`block`, without float8. Gradients pass to the tokens,
        and to the weights of an open trunk.

        Args:
            index: The layer.
            tokens: (..., 1 + N, D); tokens attend within one sequence.

        Returns:
            (..., 1 + N, D).
        """
        return self.visual.blocks[index].attend(tokens, self.visual.rotary)

    def feed_forward(self, index: int, tokens: Tensor) -> Tensor:
        """The MLP of layer ``index`` (0-based), second line of Eq. 1, (..., D) -> (..., D).

        As :meth:`attend`.
        """
        return self.visual.blocks[index].feed_forward(tokens)

    def norm(self, tokens: Tensor) -> Tensor:
        """The layer norm before the projection, (..., D) -> (..., D)."""
        return self.visual.norm(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        """W_v-proj into the joint space, (..., D) -> (..., E).

        Raises:
            ValueError: If there is no joint space.
        """
        if self.embed_dim is None:
            raise ValueError('this trunk has no joint space: it lacks its last layers or a '
                             'projection')
        return self.visual.proj(tokens)

    def frame_mean(self, cls: Tensor) -> Tensor | None:
        """Normalise and project each frame's CLS, and average, (B, T, D) -> (B, E).

        None if there is no joint space.
        """
        return None if self.embed_dim is None else self.proj(self.norm(cls)).mean(dim=1)

    @property
    def position_embedding(self) -> Tensor:
        """(1 + N, D), CLIP's spatial position embedding P^s, the CLS's first."""
        return self.visual.position_embedding

    @property
    def class_embedding(self) -> Tensor:
        """(D,), CLIP's CLS token before its position is added."""
        return self.visual.cls_token

    def copied_block(self, index: int, kind: type[Block], drop_path: float = 0.,
                     eps: float | None = None) -> Block:
        """A trainable copy of layer ``index`` (0-based), whatever the trunk's precision is.

        Args:
            index: The layer.
            kind: What becomes of it, such as the branch's
                :class:`~mmbt.models.branch.SpatialBlock`.
            drop_path: Stochastic depth of the copy's attention.
            eps: Epsilon of its layer norms. None: the layer's own.
        """
        settings = self.visual.options.layer()
        copy = kind(**dict(settings, eps=self.eps if eps is None else eps), drop_path=drop_path)
        copy.load_state_dict(self.visual.blocks[index].state_dict())
        return copy

    def canonical_state(self) -> dict[str, Tensor]:
        """The weights of what is run, under names that are the same for every library.

        Without a joint space, ``norm.*`` and ``proj.*`` are left out.
        """
        left_out = tuple(f'blocks.{i}.' for i in range(self.num_layers, len(self.visual.blocks)))
        if self.embed_dim is None:
            left_out += ('norm.', 'proj.')
        return {name: value for name, value in self.visual.named_parameters()
                if not name.startswith(left_out)}

    def freeze(self, frozen: bool) -> None:
        """Freeze both towers, or open them to training."""
        self.frozen = frozen
        self.requires_grad_(not frozen)
        self.train(not frozen)

    def train(self, mode: bool = True) -> 'Trunk':
        """Eval mode whatever is asked for, while it is frozen."""
        return super().train(mode and not self.frozen)

    @property
    def mark(self) -> str:
        """A digest of the vision tower's bits, by which frozen states know whose they are."""
        return self._kept_mark.get(self.visual, self.float8, lambda: weights_mark(self))

    def hidden_states(self,
                      imgs: Tensor | FrozenStates | KeptStates | SharedFrames,
                      layers: Iterable[int],
                      visible: Tensor | None = None) -> list[FrameTokens]:
        """Run the frames and keep the outputs of the layers asked for, no others.

        Args:
            imgs: (B, T, 3, H, W) normalised frames, or what this trunk has made of them before.
            layers: Increasing layer numbers in 0..L; 0 is V(0), l is the output of layer l.
            visible: Patch positions to keep of each, (B, N_vis) or (B, T, N_vis) int64; the layers
                themselves see all. None keeps all.

        Returns:
            The tokens of each such layer, in the order of ``layers``.

        Raises:
            ValueError: If the frames have not the trunk's image size, or states are of another.
        """
        if not isinstance(imgs, Tensor):
            return imgs.take(self, layers, visible)
        self.check_frames(imgs)
        batch, frames = imgs.shape[:2]
        wanted = list(layers)
        assert wanted == sorted(set(wanted)) and wanted[0] >= 0 and wanted[-1] <= self.num_layers
        kept = []
        still = self.frozen and not imgs.requires_grad
        with torch.no_grad() if still else contextlib.nullcontext():
            tokens = self.embed(imgs.flatten(0, 1))
            for layer in range(wanted[-1] + 1):
                if layer > 0:
                    tokens = self.block(layer - 1, tokens)
                if layer in wanted:
                    states = tokens.unflatten(0, (batch, frames))
                    states = states.to(imgs.dtype) if self.float8 else states  # V(0) under autocast
                    kept.append(FrameTokens(states[:, :, 0], states[:, :, 1:]).kept(visible))
        return kept

    def check_frames(self, imgs: Tensor) -> None:
        """Refuse anything but (B, T, 3, H, W) of the trunk's image size."""
        if imgs.ndim != 5 or imgs.shape[2] != 3 or tuple(imgs.shape[3:]) != self.image_size:
            height, width = self.image_size
            raise ValueError(f'the trunk takes frames of (B, T, 3, {height}, {width}), got '
                             f'{tuple(imgs.shape)}; resize or crop in the pipeline')


def name_as_now(trunk: Trunk, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Before loading: the vision tower's weights of an older file get the names they have now."""
    rename_old(state_dict, f'{prefix}visual.', trunk.visual.state_dict())
