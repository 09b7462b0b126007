# An open_clip architecture small enough to be trained on a laptop's processor.
tiny_arch = dict(
    embed_dim=128,
    vision_cfg=dict(image_size=64, patch_size=16, width=96, layers=4, head_width=32,
                    pos_embed_type='sin_cos_2d'),
    text_cfg=dict(context_length=18, vocab_size=49408, width=64, heads=2, layers=2))
