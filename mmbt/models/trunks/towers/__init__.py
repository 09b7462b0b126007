from .base import Tower, fused_qkv
from .open_clip_vit import OpenCLIPViT
from .timm_eva import TimmEVA

__all__ = ['OpenCLIPViT', 'TimmEVA', 'Tower', 'fused_qkv']
