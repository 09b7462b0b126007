"""Speed of the model against the machine's own limit; ``mmbt bench`` shows it."""
from .flops import Sizes, model_sizes, num_visible, step_flops

__all__ = ['Sizes', 'model_sizes', 'num_visible', 'step_flops']
