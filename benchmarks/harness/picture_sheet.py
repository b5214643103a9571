"""Pictures side by side, with their names."""

import cv2
import numpy as np

_HEIGHT_PX = 240
_GAP_PX = 6
_NAME_PX = 20


def draw_sheet(
    photo: np.ndarray | None, rows: dict[str, list[tuple[str, np.ndarray]]]
) -> np.ndarray:
    """A row for each style: photograph, painting and results of one height, with their names."""
    lines = []
    for style, pictures in rows.items():
        cells = [("photograph", photo)] if photo is not None else []
        cells += [(f"{style}: {who}", picture) for who, picture in pictures]
        lines.append(np.hstack([_cell(name, picture) for name, picture in cells]))
    width = max(line.shape[1] for line in lines)
    return np.vstack(
        [
            np.pad(line, ((0, _GAP_PX), (0, width - line.shape[1]), (0, 0)), constant_values=255)
            for line in lines
        ]
    )


def _cell(name: str, picture: np.ndarray) -> np.ndarray:
    width = round(picture.shape[1] * _HEIGHT_PX / picture.shape[0])
    small = cv2.resize(picture, (width, _HEIGHT_PX), interpolation=cv2.INTER_AREA)
    # Dark on a light strip, so that it can be read on any picture.
    small[:_NAME_PX] = 255
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(small, name, (6, _NAME_PX - 6), font, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.pad(small, ((0, 0), (0, _GAP_PX), (0, 0)), constant_values=255)
