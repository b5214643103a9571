"""A contact sheet: a few frames of a film in every style, to choose from.

command           `fastvid preview`
frames, sheet     which frames are shown, and the sheet
regions           parts of the picture in styles of their own
"""
