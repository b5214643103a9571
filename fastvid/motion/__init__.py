"""Motion between frames: optical flow, warping along it, and where it can't be trusted."""
