"""Motion between frames: optical flow, warping along it, and where it can't be trusted.

flow              the flow between two frames, estimated; `smoothing` it along their edges
occlusion         where it can't be trusted
warp              an image sampled where a flow points
source            a run's flow and masks: estimated, or read from a `flow_folder`
flo, pgm          the files of Fast Artistic Videos: flow, and masks
"""
