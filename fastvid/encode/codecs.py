"""Which encoders and containers fastvid writes, and what each of them takes: the one table.

`--help`, the checks before a run and the encoder itself all read it.
"""

from dataclasses import dataclass, field

from av.codec.codec import Codec, UnknownCodecError

# x264 and x265 share these names (x264 --fullhelp, x265 documentation, "Presets").
_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


@dataclass(frozen=True)
class CodecRule:
    """One encoder.

    name: the name of the encoder in libavcodec ("png": a folder of images, not an encoder there).
    containers: extensions it may be written into.
    pix_fmt: libavcodec name of the samples it is given; `preset_pix_fmts` overrides it by preset.
    crf: (lowest, highest, default) of the constant quality scale; None where it has no such scale.
    presets, default_preset, preset_option: names that --preset takes, the one used without
        --preset, and the encoder option that carries it.
    multiples: (x, y): width and height are padded to multiples of these.
    reorders: packets leave the encoder in another order than frames entered it (B-frames).
    rgb: stores RGB as it is, so matrix and range of the video do not apply.
    full_range: can be tagged as full range; where False the samples are always limited range.
    template_container: libavformat container that keeps its headers byte for byte (see parts.py).
    options: further encoder options.
    """

    name: str
    containers: tuple[str, ...]
    pix_fmt: str
    crf: tuple[float, float, float] | None
    presets: tuple[str, ...]
    default_preset: str
    preset_option: str
    multiples: tuple[int, int]
    reorders: bool = False
    rgb: bool = False
    full_range: bool = True
    template_container: str = "nut"
    options: dict[str, str] = field(default_factory=dict)
    preset_pix_fmts: dict[str, str] = field(default_factory=dict)


CODECS: dict[str, CodecRule] = {
    rule.name: rule
    for rule in (
        CodecRule(
            "libx264",
            (".mp4", ".m4v", ".mov", ".mkv"),
            "yuv420p",
            (0, 51, 18),
            _X26X_PRESETS,
            "medium",
            "preset",
            (2, 2),
            reorders=True,
        ),
        # info=0: no text with the thread count in the stream's header, which has to be the same in
        # every part; wpp=1 fixes a header bit that otherwise follows the thread count.
        CodecRule(
            "libx265",
            (".mp4", ".m4v", ".mov", ".mkv"),
            "yuv420p",
            (0, 51, 20),
            _X26X_PRESETS,
            "medium",
            "preset",
            (2, 2),
            reorders=True,
            options={"x265-params": "log-level=none:info=0:wpp=1"},
        ),
        CodecRule(
            "ffv1",
            (".mkv", ".mp4"),
            "bgr0",
            None,
            (),
            "",
            "",
            (1, 1),
            rgb=True,
            options={"level": "3", "slices": "4", "slicecrc": "1", "g": "1"},
        ),
        # Profiles of Apple's ProRes white paper; "apl0" is the vendor that its own tools accept.
        CodecRule(
            "prores_ks",
            (".mov", ".mkv"),
            "yuv422p10le",
            None,
            ("proxy", "lt", "standard", "hq", "4444", "4444xq"),
            "hq",
            "profile",
            (2, 1),
            full_range=False,
            template_container="mov",
            options={"vendor": "apl0"},
            preset_pix_fmts={"4444": "yuv444p10le", "4444xq": "yuv444p10le"},
        ),
        # b=0 turns crf into constant quality (FFmpeg documentation, libvpx).
        CodecRule(
            "libvpx-vp9",
            (".webm", ".mkv", ".mp4"),
            "yuv420p",
            (0, 63, 24),
            ("0", "1", "2", "3", "4", "5"),
            "2",
            "cpu-used",
            (1, 1),
            options={"b": "0", "deadline": "good", "row-mt": "1"},
        ),
        CodecRule(
            "libsvtav1",
            (".mp4", ".m4v", ".mkv", ".webm"),
            "yuv420p",
            (1, 63, 28),
            tuple(str(number) for number in range(14)),
            "8",
            "preset",
            (2, 2),
        ),
        CodecRule("png", (), "rgb24", None, (), "", "", (1, 1), rgb=True),
    )
}

# What people call them on the command line.
ALIASES = {
    "h264": "libx264",
    "x264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "x265": "libx265",
    "prores": "prores_ks",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
}

# Extension to libavformat's muxer. .m4v is named because libavformat takes it for raw MPEG-4.
# AVI and NUT are missing on purpose: AVI has a constant frame rate and no presentation times,
# libavformat's NUT can't begin with the negative decoding times of B-frames.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

# ISO 639-2 gives these languages two codes; MOV files know the second one of each pair only
# (QuickTime File Format, "Language code values").
_TWO_CODES = (
    "sqi/alb hye/arm eus/baq mya/bur zho/chi nld/dut fre/fra kat/geo deu/ger ell/gre "
    "isl/ice mkd/mac msa/may fas/per rum/ron cze/ces slo/slk bod/tib cym/wel"
)
MOV_LANGUAGES = dict(pair.split("/") for pair in _TWO_CODES.split())

DEFAULT_CODECS = {".webm": "libvpx-vp9"}
DEFAULT_CODEC = "libx264"
FOLDER_CODEC = "png"


def available_codecs() -> list[str]:
    """The encoders of the table that this build of libavcodec has, in the table's order."""
    return [name for name in CODECS if _is_built_in(name)]


def codec_help() -> list[str]:
    """One line for each available encoder: containers, crf range and presets, for --help."""
    lines = []
    for name in available_codecs():
        rule = CODECS[name]
        parts = [" ".join(rule.containers) or "a folder (name ends in /)"]
        if rule.crf is not None:
            parts.append("crf {:g} to {:g}, default {:g}".format(*rule.crf))
        if rule.presets:
            parts.append(f"presets {' '.join(rule.presets)}, default {rule.default_preset}")
        lines.append(f"{name}: {'; '.join(parts)}")
    return lines


def _is_built_in(name: str) -> bool:
    try:
        Codec(name, "w")
    except UnknownCodecError:
        return False
    return True
