"""Films of 360 and 180 degrees: painted and followed without a seam, and without pinched poles.

projection        what a film is, by its tags and options, and where its eyes are in a frame
atlas, layout     one eye laid out as one flat picture, of a band and two caps, and gathered back;
                  `caps`: directions and pixels; `eye`: squeezed pictures in true shape
painting, size    a style model in front of which frames are laid out; at which size
motion            flow and masks, estimated on the same pieces
seam              how visible the line at the back is
"""
