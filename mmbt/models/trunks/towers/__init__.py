from .base import Tower, fused_qkv
from .hf_base import HFTower, HFVision
from .hf_blip2 import HFBLIP2
from .hf_clip import HFCLIP
from .open_clip_vit import OpenCLIPViT
from .timm_eva import TimmEVA

__all__ = [
    'HFBLIP2', 'HFCLIP', 'HFTower', 'HFVision', 'OpenCLIPViT', 'TimmEVA', 'Tower', 'fused_qkv'
]
