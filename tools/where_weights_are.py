"""Say where weights are, by hand and by ``mim download``.

mim cannot be told that a config has no weights to download: it fetches a link, passes over one that
ends in a slash, and loads the configs that a metafile names for a model. This is the last of them.
"""
raise SystemExit(
    'mmbt publishes no weights: train them (mim train mmbt configs/pretrain_webvid.py), or take '
    "the authors' of https://huggingface.co/farewellthree/BTAdapter-Weight and convert them "
    '(mmbt convert IN OUT.pth)')
