"""What is done to a frame: motion, paint, blend.

interface         the stages as the ranks see them
choice, settings  which stages a run has, and what shapes the picture in them
repaint           frame models: every frame is painted alone, then blended
regional          the same of parts of the picture, each in its own way
temporal          the filter that blends: the previous result, moved along the flow
recurrent         recurrent models: painting is blending
overlap           their shots in stretches, side by side; `seam_report`: how well they meet
"""
