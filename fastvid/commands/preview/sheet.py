"""The contact sheet itself: rows of pictures with their labels, as one image."""

from collections.abc import Sequence

import cv2
import numpy as np

_GAP_PX = 4


_LABEL_PX = 26


_BACKGROUND = 24


_TEXT_COLOR = (235, 235, 235)


_FONT = cv2.FONT_HERSHEY_SIMPLEX


_FONT_SCALE = 0.55


_LABEL_MARGIN_PX = 6


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str]
) -> np.ndarray:
    """A sheet with a row of pictures for each label, (H, W, 3) uint8 RGB.

    rows: (label, pictures of one size, uint8 RGB). titles: of the columns.
    """
    height, width = rows[0][1][0].shape[:2]
    step_x, step_y = width + _GAP_PX, height + _LABEL_PX + _GAP_PX
    sheet = np.full(
        (len(rows) * step_y + _GAP_PX, len(titles) * step_x + _GAP_PX, 3), _BACKGROUND, np.uint8
    )
    for row, (label, pictures) in enumerate(rows):
        top = _GAP_PX + row * step_y
        for column, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
            left = _GAP_PX + column * step_x
            sheet[top + _LABEL_PX : top + _LABEL_PX + height, left : left + width] = picture
            text = _fitting(
                title
                if row == 0 and column
                else f"{label}, {title}"
                if row == 0
                else label
                if column == 0
                else "",
                width,
            )
            cv2.putText(
                sheet,
                text,
                (left + _LABEL_MARGIN_PX, top + _LABEL_PX - 8),
                _FONT,
                _FONT_SCALE,
                _TEXT_COLOR,
                1,
                cv2.LINE_AA,
            )
    return sheet


def _fitting(text: str, width_px: int) -> str:
    """The text without what would stick out; letters that the font lacks are question marks."""
    text = text.encode("ascii", "replace").decode("ascii")
    room = width_px - 2 * _LABEL_MARGIN_PX
    while text and cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] > room:
        text = text[:-1]
    return text
