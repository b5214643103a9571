"""What may be written where, and the encoded frames: sizes, colours, exactness."""

import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.decode.frame import ColorTags
from fastvid.encode.codecs import CODECS, available_codecs, codec_help
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.errors import InputError, StorageError
from support.encode_clips import decoded, encode_parts, info_of, moving, noise, packets


def _written(
    folder: Path,
    name: str,
    images: list[np.ndarray],
    *,
    color: ColorTags = ColorTags(),
    threads_seams: tuple[int, ...] = (),
    **options: object,
) -> Path:
    height, width = images[0].shape[:2]
    plan = plan_output(folder / name, info=info_of(width, height, color=color), **options)  # type: ignore[arg-type]
    times = [512 * index for index in range(len(images))]
    mux(plan, list(encode_parts(plan, folder, images, times, 512, threads_seams)))
    return plan.path


def test_ffv1_is_bit_exact_at_odd_sizes_and_across_parts(tmp_path: Path) -> None:
    images = noise(7, 67, 45)
    path = _written(tmp_path, "out.mkv", images, codec="ffv1", threads_seams=(2, 3))
    _, got = decoded(path)
    assert len(got) == 7
    for image, expected in zip(got, images, strict=True):
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("name", [codec for codec in available_codecs() if codec != "png"])
def test_every_codec_gives_every_frame_in_every_container(tmp_path: Path, name: str) -> None:
    images = moving(9, 80, 66)
    for extension in CODECS[name].containers:
        path = _written(tmp_path, "out" + extension, images, codec=name, threads_seams=(1, 6))
        times, got = decoded(path)
        assert times == [Fraction(index, 25) for index in range(9)]
        assert got[0].shape == images[0].shape
        # Far below the 60 levels and more by which neighbouring frames of the clip differ.
        errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(got, images, strict=True)]
        assert max(errors) < 20
        if name in ("libx264", "libx265"):
            dts = [packet.dts for packet in packets(path, "video") if packet.dts is not None]
            assert all(first < second for first, second in itertools.pairwise(dts))


@pytest.mark.parametrize("name", [codec for codec in available_codecs() if codec != "png"])
def test_no_encoder_takes_the_machine(tmp_path: Path, name: str) -> None:
    """SVT-AV1 would, as root: its threads ask for the highest real-time priority."""
    if os.geteuid() != 0 or not hasattr(os, "sched_getscheduler"):
        pytest.skip("only root's threads get a real-time priority")
    plan = plan_output(
        tmp_path / ("out" + CODECS[name].containers[0]), info=info_of(80, 66), codec=name
    )
    encoder = open_encoder(plan, tmp_path / "part", threads=1)
    try:
        for index, image in enumerate(moving(3, 80, 66)):
            encoder.write(image, index * 512, 512)
            policies = {
                os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")
            }
            assert policies == {os.SCHED_OTHER}
    finally:
        encoder.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux")
def test_a_checked_output_leaves_no_encoder_behind(tmp_path: Path) -> None:
    """Whoever plans and then computes for hours would keep its threads and its memory."""
    for name in ("libsvtav1", "libx265"):
        if name not in available_codecs():
            continue
        before = set(os.listdir("/proc/self/task"))
        plan_output(tmp_path / "out.mkv", info=info_of(320, 240), codec=name)
        assert set(os.listdir("/proc/self/task")) <= before


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
def test_samples_follow_the_matrix_and_range_that_the_tags_say(
    tmp_path: Path, matrix: int, full_range: bool
) -> None:
    """Against the formula of ITU-T H.273, 8.3, on flat colours."""
    weights = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    rgb = (200, 90, 40)
    color = ColorTags(
        primaries=9 if matrix == 9 else matrix, transfer=1, matrix=matrix, full_range=full_range
    )
    path = _written(
        tmp_path, "out.mp4", [np.full((32, 48, 3), rgb, np.uint8)] * 2, color=color, crf=0
    )
    red, green, blue = (value / 255 for value in rgb)
    luma = weights[0] * red + (1 - sum(weights)) * green + weights[1] * blue
    cb, cr = (blue - luma) / (2 - 2 * weights[1]), (red - luma) / (2 - 2 * weights[0])
    expected = (
        [luma * 255, cb * 255 + 128, cr * 255 + 128]
        if full_range
        else [luma * 219 + 16, cb * 224 + 128, cr * 224 + 128]
    )
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        planes = [bytes(plane)[0] for plane in frame.planes]
        assert np.abs(np.array(planes) - expected).max() <= 1
        assert (
            context.color_primaries,
            context.color_trc,
            context.colorspace,
            context.color_range,
        ) == (color.primaries, 1, matrix, 2 if full_range else 1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("out.mov", "prores"), ("out.webm", "vp9"), ("out.mkv", "libx265"), ("out.mp4", "av1")],
)
def test_colour_tags_are_on_the_stream_of_every_codec(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = _written(tmp_path, name, moving(3), color=ColorTags(1, 1, 1, False), codec=codec)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (
            context.color_primaries,
            context.color_trc,
            context.colorspace,
            context.color_range,
        ) == (1, 1, 1, 1)


def test_an_untagged_matrix_is_tagged_as_what_was_computed(tmp_path: Path) -> None:
    assert plan_output(tmp_path / "a.mp4", info=info_of(64, 576)).color.matrix == 6
    assert plan_output(tmp_path / "a.mp4", info=info_of(64, 578)).color.matrix == 1


def test_odd_sizes_get_their_last_column_and_row_repeated(tmp_path: Path) -> None:
    image = np.full((33, 47, 3), 30, np.uint8)
    image[:, -1] = image[-1, :] = 220
    plan = plan_output(tmp_path / "out.mp4", info=info_of(47, 33), crf=1)
    assert (plan.width, plan.height) == (48, 34)
    assert "47x33 is written as 48x34" in " ".join(plan.notes)
    mux(plan, list(encode_parts(plan, tmp_path, [image], [0], 512)))
    got = decoded(plan.path)[1][0]
    assert got.shape == (34, 48, 3)
    np.testing.assert_allclose(got[:, -1].astype(int), 220, atol=6)
    np.testing.assert_allclose(got[-1].astype(int), 220, atol=6)


def test_parts_of_different_thread_counts_fit_together(tmp_path: Path) -> None:
    images = moving(12)
    for codec, extension in (("libx264", "mp4"), ("libx265", "mp4"), ("vp9", "webm")):
        plan = plan_output(tmp_path / f"out.{extension}", info=info_of(64, 48), codec=codec)
        parts = [tmp_path / "one", tmp_path / "two"]
        for number, (part, threads) in enumerate(zip(parts, (1, 2), strict=True)):
            encoder = open_encoder(plan, part, threads=threads)
            for index in range(6 * number, 6 * number + 6):
                encoder.write(images[index], index * 512, 512)
            encoder.close()
        mux(plan, parts)
        assert decoded(plan.path)[0] == [Fraction(index, 25) for index in range(12)]


@pytest.mark.parametrize(
    ("output", "options", "said"),
    [
        ("no/such/place/out.mp4", {}, "no/such/place of the output"),
        ("out.xyz", {}, ".mp4 .m4v .mov .mkv .webm"),
        ("out", {}, "no extension"),
        ("out.mp4", {"codec": "divx"}, "libx264 libx265 ffv1"),
        ("out.webm", {"codec": "libx264"}, "libvpx-vp9"),
        ("out.mp4", {"codec": "prores"}, ".mov .mkv"),
        ("out.mp4", {"crf": 52}, "outside 0 to 51"),
        ("out.mkv", {"codec": "ffv1", "crf": 3}, "leave --crf out"),
        ("out.mp4", {"preset": "quick"}, "ultrafast superfast"),
        ("out.mkv", {"codec": "ffv1", "preset": "fast"}, "no presets"),
        ("images/", {"codec": "libx264"}, "leave --codec out"),
        ("directory.mp4", {}, "is a folder"),
        ("a_file/out.mp4", {}, "is not a directory"),
        ("a_file/", {}, "is a file"),
        ("/proc/out.mp4", {}, "can't write in /proc"),
    ],
)
def test_what_can_not_be_written_is_said_before_any_work(
    tmp_path: Path, output: str, options: dict[str, object], said: str
) -> None:
    (tmp_path / "directory.mp4").mkdir()
    (tmp_path / "a_file").write_text("x")
    before = sorted(os.listdir(tmp_path))
    # Joined as text: a Path would lose the slash at the end.
    place = output if output.startswith("/") else f"{tmp_path}/{output}"
    if output == "directory.mp4":
        options = {"codec": "libx264"}
        said = "is a directory"
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        plan_output(place, info=info_of(64, 48), **options)  # type: ignore[arg-type]
    assert sorted(os.listdir(tmp_path)) == before


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"film")
    (tmp_path / "soft.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    (tmp_path / "there").symlink_to(tmp_path)
    for name in ("in.mp4", "soft.mp4", "hard.mp4", "there/in.mp4"):
        with pytest.raises(InputError, match="is the input"):
            plan_output(tmp_path / name, info=info_of(64, 48), source=source)
    plan_output(tmp_path / "new.mp4", info=info_of(64, 48), source=source)


def test_a_size_that_the_encoder_refuses_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't encode 2x2"):
        plan_output(tmp_path / "out.mp4", info=info_of(2, 2), codec="libsvtav1")


def test_defaults_follow_the_container(tmp_path: Path) -> None:
    info = info_of(64, 48)
    assert plan_output(tmp_path / "a.mp4", info=info).codec == "libx264"
    assert plan_output(tmp_path / "A.MKV", info=info).codec == "libx264"
    assert plan_output(tmp_path / "a.webm", info=info).codec == "libvpx-vp9"
    assert plan_output(f"{tmp_path}/a/", info=info).is_folder
    assert plan_output(tmp_path, info=info).is_folder
    assert plan_output(tmp_path / "a", info=info, codec="png").is_folder
    assert len(codec_help()) == len(available_codecs()) >= 4


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    plan = plan_output(tmp_path / "a.mp4", info=info_of(64, 48))
    encoder = open_encoder(plan, tmp_path / "part")
    with pytest.raises(ValueError, match="at least one frame"):
        encoder.close()
    image = moving(1)[0]
    encoder.write(image, 5, 1)
    with pytest.raises(ValueError, match="pts 5 comes after 5"):
        encoder.write(image, 5, 1)
    with pytest.raises(ValueError, match="uint8"):
        encoder.write(image.astype(np.float32), 6, 1)
    encoder.abort()
    assert not (tmp_path / "part").exists()


def test_a_part_that_was_cut_short_is_not_used(tmp_path: Path) -> None:
    plan = plan_output(tmp_path / "a.mp4", info=info_of(64, 48))
    (part,) = encode_parts(plan, tmp_path, moving(5), range(5), 1)
    whole = part.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        part.write_bytes(whole[:size])
        with pytest.raises(StorageError, match="no complete part"):
            mux(plan, [part])
    with pytest.raises(StorageError, match="no complete part"):
        part.write_bytes(whole[:16] + b"\xff\xff\xff\x7f" + whole[20:])
        mux(plan, [part])
    assert not plan.path.exists() and len(os.listdir(tmp_path)) == 1


def test_parts_of_different_settings_are_not_joined(tmp_path: Path) -> None:
    folders = [tmp_path / "x", tmp_path / "y"]
    parts = []
    for folder, preset in zip(folders, ("ultrafast", "slow"), strict=True):
        folder.mkdir()
        plan = plan_output(tmp_path / "a.mp4", info=info_of(64, 48), preset=preset)
        offset = 0 if preset == "ultrafast" else 10
        parts += encode_parts(plan, folder, moving(3), range(offset, offset + 3), 1)
    with pytest.raises(StorageError, match="other settings"):
        mux(plan, list(parts))


def test_a_name_that_leaves_no_room_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the name of the output has 246 bytes"):
        plan_output(tmp_path / ("n" * 242 + ".mp4"), info=info_of(64, 48))
    plan_output(tmp_path / ("n" * 230 + ".mp4"), info=info_of(64, 48))
