from mmbt.models.branch_file import load_branch, save_branch

from .init_model import init_model

__all__ = ['init_model', 'load_branch', 'save_branch']
