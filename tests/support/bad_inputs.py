"""Bad input of every kind: how to spoil a sound command, and what the message has to hold."""

from collections.abc import Callable

import numpy as np

from support import spoiling
from support.spoiling import Place

# What is wrong, and words that the message has to hold: the thing, and a way out.
CASES: dict[str, tuple[Callable[[Place], None], list[str]]] = {
    "no such file": (spoiling.no_input, ["nowhere.mp4"]),
    "text for a video": (spoiling.input_of("in.mp4", "this is no video\n" * 50), ["in.mp4"]),
    "empty file": (spoiling.input_of("in.mp4", b""), ["in.mp4"]),
    "random bytes": (
        spoiling.input_of("in.mkv", np.random.default_rng(1).bytes(20000)),
        ["in.mkv"],
    ),
    "folder without images": (spoiling.empty_folder, ["pictures"]),
    "images without a rate": (spoiling.pictures_without_rate, ["--fps"]),
    "rate for a video": (spoiling.with_options("--fps", "25"), ["--fps"]),
    "sound only": (spoiling.audio_only, ["sound.mka", "video"]),
    "zero frames": (spoiling.zero_frames, ["empty.mkv"]),
    "cut-off MP4": (spoiling.cut_short, ["in.mp4"]),
    "cut-off Matroska": (spoiling.cut_short_matroska, ["cut.mkv", "--on-error keep-going"]),
    "unknown style": (
        spoiling.with_options("--style", "stary_nihgt"),
        ["stary_nihgt", "starry_night"],
    ),
    "no such checkpoint": (spoiling.with_options("--style", "/no/such.pt"), ["/no/such.pt"]),
    "text for a style": (spoiling.style_of(lambda place: b"a style"), ["bad.pt"]),
    "cut-off style": (
        spoiling.style_of(lambda place: place.style.read_bytes()[:-3000]),
        ["bad.pt"],
    ),
    "style that is a program": (spoiling.style_of(spoiling.pickle_bomb), ["bad.pt"]),
    "style archive that is a program": (
        spoiling.style_of(spoiling.archive_bomb),
        ["bad.pt", "refused"],
    ),
    "old style archive that is a program": (
        spoiling.style_of(spoiling.legacy_bomb),
        ["bad.pt", "refused"],
    ),
    "cut-off Torch7 model": (
        spoiling.style_of(lambda place: spoiling.torch7(place)[:-900]),
        ["bad.pt", "cut off"],
    ),
    "Torch7 model with an unknown layer": (
        spoiling.style_of(lambda place: spoiling.torch7(place).replace(b"nn.Tanh", b"nn.Sine")),
        ["bad.pt", "'nn.Sine'"],
    ),
    "Torch7 model of five channels": (
        spoiling.style_of(spoiling.five_channels),
        ["bad.pt", "5 channels"],
    ),
    "no such output folder": (spoiling.output_at("missing/out.mkv"), ["missing", "mkdir"]),
    "output in a file": (spoiling.output_at("in.mkv/out.mkv"), ["in.mkv"]),
    "unknown container": (spoiling.output_at("results/out.xyz"), [".xyz", ".mp4"]),
    "output without extension": (spoiling.output_at("results/out"), ["out", ".mp4"]),
    "output is input": (spoiling.output_is_input, ["in.mkv", "-o"]),
    "output is a link to the input": (spoiling.output_is_linked_input, ["in.mkv", "-o"]),
    "output exists": (spoiling.output_exists, ["out.mkv", "--overwrite"]),
    "frames beyond the end": (spoiling.with_options("--frames", "10:99"), ["10:99", "23 frames"]),
    "frames behind the end": (spoiling.with_options("--frames", "23:"), ["23:", "23 frames"]),
    "frames backwards": (spoiling.with_options("--frames", "9:5"), ["9:5"]),
    "no frames": (spoiling.with_options("--frames", "5:5"), ["5:5"]),
    "frames nonsense": (spoiling.with_options("--frames", "some"), ["--frames", "some"]),
    "cuts nonsense": (spoiling.cut_table(b"3\nx\n"), ["cuts.csv", "line 2"]),
    "cuts missing": (spoiling.cut_table(None), ["cuts.csv", "--cuts takes"]),
    "cuts binary": (spoiling.cut_table(b"\xff\x00\xfe" * 10), ["cuts.csv", "not text"]),
    "cuts beyond the end": (spoiling.cut_table(b"3\n500\n"), ["500", "last frame is 22"]),
    "size nonsense": (spoiling.with_options("--size", "large"), ["--size", "large"]),
    "size zero": (spoiling.with_options("--size", "0x0"), ["0x0"]),
    "size of two unknowns": (spoiling.with_options("--size=-1x-1"), ["-1x-1"]),
    "size too big for memory": (
        spoiling.with_options("--size", "16000x8000"),
        ["16000x8000", "--size"],
    ),
    "size beyond all limits": (
        spoiling.with_options("--size", "30000x22500"),
        ["30000x22500", "16384"],
    ),
    "size absurd": (spoiling.with_options("--size", "99999999x9"), ["99999999x9"]),
    "unknown flow": (spoiling.with_options("--flow", "magic"), ["magic", "dis-medium"]),
    "flow scale": (spoiling.with_options("--flow-scale", "2"), ["--flow-scale 2"]),
    "no such flow folder": (spoiling.with_options("--flow-dir", "/no/flow"), ["/no/flow"]),
    "flow folder without flow": (spoiling.flow_folder, ["flow", "backward_2_1.flo"]),
    "flow folder and a flow method": (
        spoiling.with_options("--flow-dir", "/no/flow", "--flow", "deepflow"),
        ["--flow-dir", "--flow"],
    ),
    "every rank is to read a format without an index": (
        spoiling.transport_stream,
        ["--decode local", "in.ts", "--decode rank0"],
    ),
    "strength": (spoiling.with_options("--strength", "1.2"), ["--strength 1.2"]),
    "strength not a number": (spoiling.with_options("--strength", "nan"), ["--strength", "nan"]),
    "strength no number": (spoiling.with_options("--strength", "much"), ["--strength", "much"]),
    "temporal strength": (spoiling.with_options("--temporal-strength", "1"), ["1"]),
    "temporal strength negative": (spoiling.with_options("--temporal-strength=-0.5"), ["-0.5"]),
    "temporal strength infinite": (spoiling.with_options("--temporal-strength", "inf"), ["inf"]),
    "unknown codec": (spoiling.with_options("--codec", "magic"), ["magic", "libx264"]),
    "codec not in the container": (spoiling.codec_not_in_container, ["libx264", ".webm"]),
    "unknown preset": (spoiling.with_options("--preset", "warp"), ["warp", "medium"]),
    "preset of a codec without": (
        spoiling.with_options("--codec", "ffv1", "--preset", "fast"),
        ["ffv1"],
    ),
    "crf out of range": (spoiling.with_options("--crf", "99"), ["99", "51"]),
    "keep unknown": (spoiling.with_options("--keep", "gate"), ["gate", "flow"]),
    "run file of somebody else": (
        spoiling.run_file(spoiling.foreign_hdf5),
        ["run.h5", "not a run file"],
    ),
    "run file of somebody else, restart": (
        spoiling.run_file(spoiling.foreign_hdf5, "--restart"),
        ["run.h5", "not a run file", "not replaced"],
    ),
    "run file is text": (spoiling.run_file(spoiling.text_file), ["run.h5"]),
    "run file is text, restart": (
        spoiling.run_file(spoiling.text_file, "--restart"),
        ["run.h5", "not replaced"],
    ),
    "run file is a folder": (
        spoiling.run_file(lambda place, path: path.mkdir()),
        ["run.h5", "folder"],
    ),
    "run file is the input": (spoiling.run_file_is_input, ["in.mkv", "--run-file"]),
    "run file is the output": (spoiling.output_at("results/out.h5"), [".h5"]),
    "run file without folder": (
        spoiling.with_options("--run-file", "/no/such/run.h5"),
        ["/no/such"],
    ),
    "threads zero": (spoiling.with_options("--threads", "0"), ["--threads 0"]),
    "segments of nothing": (spoiling.with_options("--segment-length", "0"), ["--segment-length 0"]),
    "time limit": (spoiling.with_options("--time-limit", "0"), ["--time-limit"]),
    "unknown option": (spoiling.with_options("--colour"), ["--colour", "--help"]),
    "two inputs": (spoiling.with_options("another.mp4"), ["another.mp4"]),
}
