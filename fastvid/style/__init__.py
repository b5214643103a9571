"""Style models: from a name, a path or bytes to a network that paints.

cards, loading    which styles there are, and from one to its model; the weights in `bundled/`;
                  `describe`: what a model is, in words
checkpoint        the project's own files, from anybody: `archive`, `pickle_machine`
torch7, state_dicts, legacy_archive
                  other programs' files: `torch7_source`, `torch7_model`; `layer_list` makes
                  networks of the grammar of them
network, variant  the grammar of networks, and departures from it; `layers`, `upsampling`
model, recurrent  what paints a frame, alone or with its past; `margins`, `device`;
                  `precision`, `half`: how exactly on a CPU
painter           frames painted with strokes of a wanted size: `scale`, `enlarging`
looks             the painting mixed with the film
losses, lossnet   how far a painting is from its style and its frame; `patches`
mixing            what tells the styles of one network apart, and mixtures of them
"""
