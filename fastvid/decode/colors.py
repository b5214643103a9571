"""Which matrix, range and transfer a stream is coded with, and how the output is tagged.

The numbers are the code points of ITU-T H.273, as FFmpeg uses them.
"""

from dataclasses import dataclass

from av.video.frame import VideoFrame

from fastvid.decode.frame import ColorTags

UNSPECIFIED = 2
MATRIX_RGB = 0
MATRIX_BT709 = 1
MATRIX_BT470BG = 5
MATRIX_SMPTE170M = 6
PRIMARIES_BT709 = 1
TRANSFER_BT709 = 1
TRANSFER_PQ = 16
TRANSFER_HLG = 18
RANGE_FULL = 2
# H.273, table 4, as names of libavfilter's scale filter.
_MATRIX_NAMES = {
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
# Where the tags say nothing, players take high definition for BT.709 and the rest for BT.601. The
# width counts too: films in scope format are 1280x534 in high definition.
_HIGH_DEFINITION_HEIGHT = 720
_HIGH_DEFINITION_WIDTH = 1280
_PAINTED_BITS = 8
_CENTERED_CODECS = frozenset({"mjpeg", "mpeg1video", "webp"})
BT709_TAGS = ColorTags(PRIMARIES_BT709, TRANSFER_BT709, MATRIX_BT709, False)


@dataclass(frozen=True)
class SourceColor:
    """How the samples of a stream are to be read.

    matrix_name: for libavfilter. full_range: 0..255 samples. hdr: "pq", "hlg" or "".
    tags: of the output. note: what the user should know, or "".
    """

    matrix_name: str
    full_range: bool
    hdr: str
    tags: ColorTags
    note: str = ""


def source_color(frame: VideoFrame) -> SourceColor:
    """Colour description of a decoded frame, its gaps filled as players fill them."""
    rgb = frame.format.is_rgb
    high = frame.height >= _HIGH_DEFINITION_HEIGHT or frame.width >= _HIGH_DEFINITION_WIDTH
    guess = MATRIX_BT709 if high else MATRIX_SMPTE170M
    matrix, note = int(frame.colorspace), ""
    if rgb or matrix in (MATRIX_RGB, UNSPECIFIED):
        matrix = guess
    elif matrix not in _MATRIX_NAMES:
        note = f"colour matrix {matrix} (H.273) is not supported; read as {_MATRIX_NAMES[guess]}"
        matrix = guess
    full_range = rgb or int(frame.color_range) == RANGE_FULL or frame.format.name.startswith("yuvj")
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    hdr = {TRANSFER_PQ: "pq", TRANSFER_HLG: "hlg"}.get(transfer, "")
    tags = BT709_TAGS if hdr else ColorTags(primaries, transfer, matrix, full_range and not rgb)
    return SourceColor(_MATRIX_NAMES[matrix], full_range, hdr, tags, note)


def loss_notes(frame: VideoFrame) -> tuple[str, ...]:
    """What of the samples of a decoded frame is not kept: painting has 8 bits."""
    notes = []
    bits = max(component.bits for component in frame.format.components)
    if bits > _PAINTED_BITS:
        notes.append(f"{bits} bits a sample are painted with {_PAINTED_BITS}")
    if any(component.is_alpha for component in frame.format.components):
        notes.append("transparency is dropped")
    return tuple(notes)


def chroma_place(codec_name: str) -> str:
    """Where colour stands that is stored for two pixels: between them in JPEG and MPEG-1, at the
    left one in all that came after (H.273, 8.7; H.264 and H.265, annex E: what is not said)."""
    return "center" if codec_name in _CENTERED_CODECS else "left"


def has_full_chroma(frame: VideoFrame) -> bool:
    """Whether each pixel of a decoded frame has its own colour."""
    parts = frame.format.components
    return len(parts) > 2 and (parts[1].width, parts[1].height) == (frame.width, frame.height)
