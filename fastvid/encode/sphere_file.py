"""The tags of a sphere in a finished file: those of the picture, and of sound that surrounds."""

from collections.abc import Mapping

from av.container import InputContainer
from av.stream import Stream

from fastvid.encode.mp4_boxes import ReadWrite, TrackBoxes, put_into_tracks, sound_boxes
from fastvid.encode.plan import OutputPlan
from fastvid.encode.sphere_boxes import sphere_boxes

# How ambisonic sound is laid out (Google, "Spatial Audio RFC"); libavformat does not copy it.
_AMBISONICS = b"SA3D"
_BOX_MUXERS = frozenset({"mp4", "mov"})


def add_sphere_boxes(
    file: ReadWrite,
    plan: OutputPlan,
    video: Stream,
    source: InputContainer | None,
    copies: Mapping[int, Stream],
) -> list[str]:
    """Puts the boxes into an MP4 or MOV that libavformat has closed; notes on what was left out.

    source: where sound was copied from; copies: output streams by the source's indices. A file
    without anything of the kind keeps its bytes. Raises OSError.
    """
    sound = _ambisonics(source, copies)
    if plan.container not in _BOX_MUXERS:
        return [_lost("the layout of the ambisonic sound (SA3D)", plan)] if sound else []
    additions = {position: TrackBoxes(entry=content) for position, content in sound.items()}
    if plan.sphere is not None:
        additions[video.index] = sphere_boxes(plan.sphere)
    if not additions or put_into_tracks(file, additions):
        return []
    return [_lost("the tags of the sphere", plan)]


def _ambisonics(source: InputContainer | None, copies: Mapping[int, Stream]) -> dict[int, bytes]:
    """By the positions of the output's tracks, the boxes of their sources."""
    sounds = {index: copy for index, copy in copies.items() if copy.type == "audio"}
    if source is None or not sounds or "mp4" not in source.format.name:
        return {}
    found = sound_boxes(source.name.removeprefix("file:"), _AMBISONICS)
    identities = {source.streams[index].id: copy.index for index, copy in sounds.items()}
    return {identities[track]: content for track, content in found.items() if track in identities}


def _lost(what: str, plan: OutputPlan) -> str:
    return f"{what} can't be written into this {plan.path.suffix}; .mp4 keeps it"
