from .base import ObjectiveHead
from .mbca import MBCAHead
from .mbta import MBTAHead
from .vtc import VTCHead
from .zero_shot import ZeroShotHead

__all__ = ['MBCAHead', 'MBTAHead', 'ObjectiveHead', 'VTCHead', 'ZeroShotHead']
