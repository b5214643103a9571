"""Film out: what is written, the encoders, their parts, here and on other ranks, and the muxing."""
