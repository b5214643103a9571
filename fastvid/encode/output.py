"""The output of a run: everything about it is checked before any work, then it is encoded in parts.

plan = plan_output("out.mp4", info=source.info, source="in.mp4")
encoder = open_encoder(plan, part_path, threads=2)
encoder.write(image, pts, duration); ...; encoder.close()
mux(plan, [part_path], source="in.mp4")                  # fastvid.encode.mux
"""

from pathlib import Path

from fastvid.decode.frame import VideoInfo
from fastvid.encode.choice import (
    choose_codec,
    choose_container,
    choose_crf,
    choose_preset,
    is_folder,
)
from fastvid.encode.codecs import CodecRule
from fastvid.encode.color import output_tags
from fastvid.encode.encoder import VideoEncoder, check_encoder_opens
from fastvid.encode.images import ImageEncoder, check_target_folder
from fastvid.encode.place import check_place
from fastvid.encode.plan import OutputPlan


def open_encoder(
    plan: OutputPlan, part_path: str | Path, threads: int = 1
) -> VideoEncoder | ImageEncoder:
    """Begins a part: a file for a video, a folder for images. Raises StorageError.

    The object has `write(image, pts, duration)`, `close()` and `abort()`. Every part begins with a
    key frame and every codec looks ahead only within a part: parts of some hundred frames cost
    nothing, parts of a few frames cost size.
    """
    if plan.is_folder:
        return ImageEncoder(part_path)
    return VideoEncoder(plan, part_path, threads)


def plan_output(
    output: str | Path,
    *,
    info: VideoInfo,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    source: str | Path | None = None,
    overwrite: bool = False,
) -> OutputPlan:
    """Checks an output and fills in the defaults; nothing is left on the disk by it.

    output: a file whose extension names the container, or a folder (a trailing slash, an existing
        folder, or codec "png") for numbered PNG images. An existing file is replaced when the new
        one is complete; an existing folder only if fastvid made it or `overwrite` is set.
    codec, crf, preset: None for the default of the container or codec.
    source: the input, which the output must not be.
    Raises InputError with the way out for whatever can't be done.
    """
    folder = is_folder(output, codec)
    extension, container = ("", "") if folder else choose_container(output)
    rule = choose_codec(codec, extension, folder)
    chosen_crf = choose_crf(rule, crf)
    chosen_preset = choose_preset(rule, preset)
    path = check_place(output, source, folder)
    if folder:
        check_target_folder(path, overwrite)
    width, height = _padded(info.width, rule.multiples[0]), _padded(info.height, rule.multiples[1])
    pix_fmt = rule.preset_pix_fmts.get(chosen_preset or "", rule.pix_fmt)
    plan = OutputPlan(
        path=path,
        container=container,
        codec=rule.name,
        crf=chosen_crf,
        preset=chosen_preset,
        width=width,
        height=height,
        pix_fmt=pix_fmt,
        time_base=info.time_base,
        average_rate=info.average_rate,
        color=output_tags(info.color, rule, info.height),
        notes=_notes(info, rule, (width, height), pix_fmt, folder),
        sphere=info.sphere,
    )
    if not folder:
        check_encoder_opens(plan)
    return plan


def _padded(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _notes(
    info: VideoInfo, rule: CodecRule, size: tuple[int, int], pix_fmt: str, folder: bool
) -> tuple[str, ...]:
    notes = []
    width, height = size
    if size != (info.width, info.height):
        notes.append(
            f"{rule.name} needs even sizes: {info.width}x{info.height} is written as "
            f"{width}x{height}, its last column or row repeated (ffv1 keeps odd sizes)"
        )
    if info.color.full_range and not rule.full_range:
        notes.append(f"{rule.name} holds limited range only: the full-range colours are converted")
    if info.full_chroma and not (rule.rgb or "444" in pix_fmt):
        notes.append(
            f"{rule.name} stores colour more coarsely than the source has it ({pix_fmt}); a folder "
            "of images, ffv1 and prores with --preset 4444 keep it"
        )
    if "10" in pix_fmt:
        notes.append(f"{rule.name} stores 10 bits a sample, of which 8 are painted")
    if info.sphere is not None and info.sphere.inverted:
        notes.append("that the right eye comes first in its frames can't be written down")
    if folder:
        notes.append(
            "a folder of images holds no sound, subtitles or chapters; "
            "the times of the frames are in timestamps.txt"
        )
    return tuple(notes)
