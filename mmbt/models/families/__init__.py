"""The libraries and their image-text models: names of weights, what is taken, and from where."""
