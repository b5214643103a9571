"""A contact sheet: a few frames of a film in every style, to choose from."""
