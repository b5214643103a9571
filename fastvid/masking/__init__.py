"""Making masks: the same engine with other stages, whose frames are masks in grey.

network           people, or whatever else a network finds, in each frame by itself
seeds             what somebody has painted on frames: strokes, or a rough cut-out
cutting           from a seed to a mask, and on along the flow, by GrabCut in a band
stages            both as the stages of a run
"""
