"""What the user asked for, and the defaults: container, codec, quality, preset. Pure functions."""

from pathlib import Path

from fastvid.encode.codecs import (
    ALIASES,
    CODECS,
    CONTAINERS,
    DEFAULT_CODEC,
    DEFAULT_CODECS,
    FOLDER_CODEC,
    CodecRule,
    available_codecs,
)
from fastvid.errors import InputError


def is_folder(output: str | Path, codec: str | None) -> bool:
    """Whether `output` means a folder of images: codec png, a trailing slash, or a folder there."""
    return (
        codec == FOLDER_CODEC
        or str(output).endswith("/")
        or (codec is None and Path(output).is_dir())
    )


def choose_container(output: str | Path) -> tuple[str, str]:
    """(extension, libavformat muxer) of a file name. Raises InputError for unknown extensions."""
    extension = Path(output).suffix.lower()
    if extension not in CONTAINERS:
        said = f"the extension {extension}" if extension else "no extension"
        raise InputError(
            f"can't tell the container of {output} from {said}; use one of "
            f"{' '.join(CONTAINERS)}, or a name that ends in / for a folder of PNGs"
        )
    return extension, CONTAINERS[extension]


def choose_codec(codec: str | None, extension: str, folder: bool) -> CodecRule:
    """The codec asked for, or the default of the container. Raises InputError."""
    if folder:
        if codec not in (None, FOLDER_CODEC):
            raise InputError(
                f"a folder of images is written as png, not {codec}; leave --codec "
                f"out, or give a file name with one of {' '.join(CONTAINERS)}"
            )
        return CODECS[FOLDER_CODEC]
    name = codec or DEFAULT_CODECS.get(extension, DEFAULT_CODEC)
    name = ALIASES.get(name, name)
    available = available_codecs()
    if name not in available:
        known = "not in this build of FFmpeg" if name in CODECS else "unknown"
        raise InputError(f"codec {codec or name} is {known}; there are {' '.join(available)}")
    rule = CODECS[name]
    if extension not in rule.containers:
        fitting = [other for other in available if extension in CODECS[other].containers]
        raise InputError(
            f"{extension} can't hold {name}: use one of "
            f"{' '.join(rule.containers)}, or --codec {'|'.join(fitting)}"
        )
    return rule


def choose_crf(rule: CodecRule, crf: float | None) -> float | None:
    """The constant quality asked for, or the codec's default. Raises InputError."""
    if rule.crf is None:
        if crf is not None:
            raise InputError(f"{rule.name} has no constant quality scale: leave --crf out")
        return None
    lowest, highest, default = rule.crf
    if crf is None:
        return default
    if not lowest <= crf <= highest:
        raise InputError(
            f"--crf {crf:g} is outside {lowest:g} to {highest:g}, the range of "
            f"{rule.name} (lower is better and larger, default {default:g})"
        )
    return crf


def choose_preset(rule: CodecRule, preset: str | None) -> str | None:
    """The preset asked for, or the codec's default. Raises InputError."""
    if not rule.presets:
        if preset is not None:
            raise InputError(f"{rule.name} has no presets: leave --preset out")
        return None
    if preset is None:
        return rule.default_preset
    if preset not in rule.presets:
        raise InputError(
            f"{rule.name} has no preset {preset}; there are "
            f"{' '.join(rule.presets)} (default {rule.default_preset})"
        )
    return preset
