"""Lets libavformat's Matroska and WebM muxers write the tags of a spherical film.

They take them from the stream that an output stream is made of, where only a demuxer can put them.
So the stream of the parts goes through an MP4 in memory that has the tags as boxes.
"""

import io
from contextlib import ExitStack

import av
from av.container import InputContainer

from fastvid.encode.mp4_boxes import put_into_tracks
from fastvid.encode.plan import OutputPlan
from fastvid.encode.sphere_boxes import sphere_boxes

# MP4 stores these streams with lengths instead of start codes; the filters bring those back.
_FILTERS = {"libx264": "h264_mp4toannexb", "libx265": "hevc_mp4toannexb"}
_NO_FILTER = "null"


def tagged_template(template: InputContainer, plan: OutputPlan, stack: ExitStack) -> InputContainer:
    """A container of which the only stream is that of `template` with the tags of `plan.sphere`;
    `stack` closes it. The same container where the plan has none, or writes them as boxes."""
    if plan.sphere is None or plan.container in ("mp4", "mov"):
        return template
    content = io.BytesIO()
    kind = "mov" if plan.codec == "prores_ks" else "mp4"
    with av.open(content, "w", format=kind) as copy:
        source = template.streams.video[0]
        stream = copy.add_stream_from_template(source, opaque=True)
        packet = next(packet for packet in template.demux(source) if packet.size)
        packet.stream = stream
        copy.mux(packet)
    put_into_tracks(content, {0: sphere_boxes(plan.sphere)})
    content.seek(0)
    return stack.enter_context(av.open(content, "r"))


def header_filter(plan: OutputPlan) -> str:
    """The bitstream filter behind `tagged_template` that restores the form of the packets."""
    if plan.sphere is None or plan.container in ("mp4", "mov"):
        return _NO_FILTER
    return _FILTERS.get(plan.codec, _NO_FILTER)
