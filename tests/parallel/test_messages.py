"""Every message comes out as it was put in: its body becomes numbers and arrays, and back."""

import math
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.film_index import FilmIndex, FolderIndex, PictureForm
from fastvid.decode.frame import ColorTags
from fastvid.encode.plan import OutputPlan
from fastvid.parallel import messages, segment_messages
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.engine.encoding import PartOrder
from fastvid.parallel.engine.reading import CutsRequest, FoundCuts, ReadRequest
from fastvid.parallel.engine.task import Place, StageTime
from fastvid.parallel.mpi.message import BODIES, Body, Content, Farewell, Kind, Quit, Stop
from fastvid.parallel.setup import JobSetup
from fastvid.stages.interface import STAGES
from fastvid.stages.overlap import Overlap
from fastvid.stages.settings import PictureSettings

# Those that the transport knows.
DTYPES = ("uint8", "int64", "float32", "float64")

SETTINGS = PictureSettings(
    flow="dis-fast",
    flow_scale=0.5,
    mask_boundaries=True,
    temporal_strength=0.25,
    strength=1.0,
    keep_colors=False,
    threads=3,
    processor="any",
)
FORM = PictureForm(width=7, height=5, turn="", peak_nits=None, look="7x5 yuv420p bt709")
NUMBERS = np.array([0, 40, 81], np.int64)
FILM = FilmIndex("/a/film.mp4", 1 << 40, FORM, 1, 3, NUMBERS, EntryPoints(*np.ones((3, 2), int)))
PLAN = OutputPlan(
    Path("/a/größe.mkv"),
    "matroska",
    "ffv1",
    None,
    None,
    8,
    6,
    "bgr0",
    Fraction(1, 90000),
    Fraction(30000, 1001),
    ColorTags(),
    ("odd", "even"),
)


def image(value: int, shape: tuple[int, ...] = (5, 7, 3), dtype: str = "uint8") -> np.ndarray:
    return np.full(shape, value, dtype)


def finished(count: int, flows: bool, occlusions: bool, errors: bool) -> segment_messages.Result:
    """A segment of so many frames in two styles."""
    numbers = range(count)
    return segment_messages.Result(
        11,
        {stage: StageTime(1.7e9 + n, n / 3) for n, stage in enumerate(STAGES)},
        tuple(image(n, (2, 5, 7, 3)) for n in numbers),
        tuple(image(n, (5, 7, 2), "float32") for n in numbers) if flows else (),
        tuple(image(n, (5, 7)) for n in numbers) if occlusions else (),
        tuple(math.nan if n == 0 else n / 7 for n in numbers) if errors else (),
    )


EXAMPLES: list[Body] = [
    Quit(0),
    Quit(75, "größer als\nerlaubt"),
    Farewell(),
    Stop("SIGTERM on rank 3"),
    messages.Look("/a/größe.mp4"),
    messages.Seen(3, True, "0123abcd"),
    messages.Seen(0, False, ""),
    messages.Setup(JobSetup(SETTINGS, ("one", "two"), (b"", b"\0\xff"), 2, ("flow",), 60.0)),
    messages.Setup(
        JobSetup(
            PictureSettings(**{**vars(SETTINGS), "overlap": Overlap(segment=100)}),
            ("one",),
            (b"x" * 1001,),
            1,
            (),
            0.5,
            "/a/logs",
            "DEBUG",
            4,
            b"first",
            "/a/flow",
            17,
        )
    ),
    messages.Film(FILM),
    messages.Film(FolderIndex("/a/folder", FORM, ("1.png", "2.png", "ü.png"))),
    messages.FindCuts(CutsRequest(32, 64, 29, 66)),
    messages.CutsFound(FoundCuts(32, (32, 40), (7, -1, 1 << 62))),
    messages.CutsFound(FoundCuts(0, (), (0,))),
    messages.End(),
    messages.Train({"style": ["größe.jpg"], "steps": 3, "resume": None}, "127.0.0.1", 65535),
    messages.Train({}, "node7", 1),
    messages.Heartbeat("paint of frame 7", 1 << 40),
    messages.Failure("paint of frame 7: größer", 2, True),
    messages.Failure("", 1),
    segment_messages.Request(),
    segment_messages.Segment(Place(0, 0, 2, False, 0, 0), (image(1), image(2))),
    segment_messages.Segment(
        Place(9, 90, 91, True, 3, 7), tuple(image(n, (1, 3, 3)) for n in range(5))
    ),
    segment_messages.Read(ReadRequest(Place(4, 40, 50, True, 0, 4))),
    segment_messages.Read(ReadRequest(Place(4, 40, 43, False, 2, 3), (1, 0, -7, 1 << 62, 5))),
    segment_messages.Successor(4, 1),
    segment_messages.Successor(5, NOBODY),
    segment_messages.Coming(5, 2),
    segment_messages.Boundary(6, image(3, (2, 5, 7, 3))),
    segment_messages.Boundary(6, image(3, (1, 5, 7, 3)), styles=(1,)),
    segment_messages.Boundary(6, image(3, (2, 5, 7, 3)), first=10, height=60),
    segment_messages.Finished(7),
    segment_messages.Fetch(8),
    *(
        finished(count, *which)
        for count in (1, 3)
        for which in ((False, False, False), (True, False, True), (False, True, False), 3 * (True,))
    ),
    messages.Encode(PartOrder(1, 250, 300, 4), PLAN),
    messages.Want(250, 254),
    messages.Pictures(np.array([[0, 40], [40, 41]]), (image(1), image(2))),
    messages.Pictures(np.zeros((0, 2), np.int64), ()),
    messages.Encoded(b"", last=True),
    messages.Encoded(b"\0\xff" * 501),
    messages.Encoded(b"", problem="no such encoder hier, schade: ü"),
]


def alike(one: object, other: object) -> bool:
    """Whether two bodies, or parts of them, say the same."""
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other)
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return one == other


def travel(content: Content) -> Content:
    """What arrives of it at another rank."""
    assert all(type(number) is int for number in content.header)
    assert all(array.dtype in DTYPES for array in content.arrays)
    header = np.array(content.header, np.int64).tolist()
    return Content(tuple(header), tuple(array.copy() for array in content.arrays))


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: type(body).__name__)
def test_a_body_survives_the_way_to_another_rank(body: Body) -> None:
    assert alike(type(body).unpack(travel(body.pack())), body)


def test_every_kind_has_one_body_and_an_example() -> None:
    assert set(BODIES) == set(Kind)
    assert len(set(BODIES.values())) == len(Kind)
    assert all(body.kind is kind for kind, body in BODIES.items())
    assert {type(body) for body in EXAMPLES} == set(BODIES.values())


def test_a_kind_has_no_second_body() -> None:
    with pytest.raises(TypeError, match="FETCH is the kind of Fetch"):
        type("Again", (segment_messages.Fetch,), {}, kind=Kind.FETCH)
    assert BODIES[Kind.FETCH] is segment_messages.Fetch


def test_frames_are_not_copied() -> None:
    """Neither when they leave nor when they arrive."""
    frames = tuple(image(n) for n in range(3))
    place = Place(0, 0, 3)
    times = {stage: StageTime() for stage in STAGES}
    for body in (
        segment_messages.Segment(place, frames),
        segment_messages.Result(0, times, frames[:1], frames[1:2], frames[2:]),
        messages.Pictures(np.zeros((3, 2), np.int64), frames),
    ):
        content = body.pack()
        assert [id(array) for array in content.arrays[-3:]] == [id(frame) for frame in frames]
        again = type(body).unpack(content).pack()
        assert [id(array) for array in again.arrays[-3:]] == [id(frame) for frame in frames]
    boundary = segment_messages.Boundary(1, frames[0])
    assert boundary.pack().arrays[0] is frames[0]
    assert segment_messages.Boundary.unpack(boundary.pack()).image is frames[0]
