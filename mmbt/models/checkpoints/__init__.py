"""Files of weights: model card, what is accepted, branch files, fingerprints, conversion."""
