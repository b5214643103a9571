"""Video in and out: decoding, cuts, encoding and muxing."""
