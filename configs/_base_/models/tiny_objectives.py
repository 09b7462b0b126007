# The objectives of the branch beside a tiny CLIP: half of its 16 positions masked, since a shape
# covers about four of them, and a small CLIP's own temperature.
tiny_mask = dict(type='TubeMask', ratio=0.5)
tiny_heads = [
    dict(type='VTCHead', temperature=0.05),
    dict(type='MBTAHead'),
    dict(type='MBCAHead', temperature=0.05),
]
