"""Training of style models by perceptual losses, with pairs of known motion for stability."""
