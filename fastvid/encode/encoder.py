"""One part of the video: RGB frames in, encoded packets with exact times in a part file out."""

import io
import os
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange

from fastvid.encode.color import FrameConverter
from fastvid.encode.parts import PartFile, PartPacket, PartWriter
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.system.priority import without_realtime_threads

# SVT-AV1 prints to stderr on its own, past libavutil's log; 0 leaves fatal errors.
os.environ.setdefault("SVT_LOG", "0")
# Samples of colour are for two pixels of a line.
_SHARED_COLOUR = ("yuv420", "yuv422")


class VideoEncoder:
    """Encodes one part. Not thread-safe, but may be used from any one thread.

    file: takes the part instead of a new file at `part_path`. Raises StorageError when the disk
    fails; the part is then gone.
    """

    def __init__(
        self,
        plan: OutputPlan,
        part_path: str | Path,
        threads: int = 1,
        file: PartFile | None = None,
    ) -> None:
        self._plan = plan
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._convert = FrameConverter(plan.width, plan.height, plan.pix_fmt, plan.color, threads)
        # The container carries the encoder's headers into the template; see parts.py.
        self._template_file = io.BytesIO()
        self._template = av.open(self._template_file, "w", format=plan.rule.template_container)
        self._stream = _add_stream(self._template, plan, threads)
        _open_codec(self._stream.codec_context)
        self._part: PartWriter | None = PartWriter(part_path, file)
        self._has_template = False

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        """Encodes one frame.

        image: (H, W, 3) uint8 RGB. pts, duration: in the time base of the plan; pts must grow.
        """
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"pts {pts} comes after {self._last_pts}")
        frame = self._convert(image)
        frame.pts, frame.time_base = pts, self._plan.time_base
        self._last_pts = pts
        self._durations[pts] = duration
        self._store(self._stream.encode(frame))

    def close(self) -> None:
        """Finishes the part; it is on the disk when this returns."""
        if self._last_pts is None:
            raise ValueError("a part needs at least one frame")
        self._store(self._stream.encode(None))
        if self._durations:
            raise RuntimeError(f"{self._plan.codec} lost {len(self._durations)} frames")
        if self._part is not None:
            self._part.close()
            self._part = None

    def abort(self) -> None:
        """Removes the unfinished part; does nothing after `close`."""
        if self._part is not None:
            self._part.abort()
            self._part = None

    def _store(self, packets: list["av.Packet[av.VideoStream]"]) -> None:
        if self._part is None:
            raise ValueError("the part is closed")
        try:
            for packet in packets:
                if packet.pts is None:
                    raise RuntimeError(f"{self._plan.codec} returned a packet without a time")
                if not self._has_template:
                    self._part.write_template(self._make_template(packet))
                    self._has_template = True
                self._part.write(
                    PartPacket(
                        packet.pts,
                        self._durations.pop(packet.pts),
                        packet.is_keyframe,
                        bytes(packet),
                    )
                )
        except BaseException:
            self.abort()
            raise

    def _make_template(self, first: "av.Packet[av.VideoStream]") -> bytes:
        packet: av.Packet[av.stream.Stream] = av.Packet(bytes(first))
        packet.stream, packet.time_base = self._stream, self._plan.time_base
        packet.pts, packet.dts, packet.duration = 0, 0, 1
        packet.is_keyframe = True
        self._template.mux(packet)
        self._template.close()
        return self._template_file.getvalue()


def check_encoder_opens(plan: OutputPlan) -> None:
    """Opens and closes the encoder, which knows its own limits. Raises InputError."""
    # Left open, the container would keep the encoder, with its threads and some 100 MB.
    with av.open(io.BytesIO(), "w", format=plan.rule.template_container) as container:
        stream = _add_stream(container, plan, threads=1)
        try:
            _open_codec(stream.codec_context)
        except av.FFmpegError as error:
            raise InputError(
                f"{plan.codec} can't encode {plan.width}x{plan.height} at "
                f"{float(plan.average_rate):g} frames a second ({error.strerror}); "
                "choose another --codec or --size"
            ) from error


def _add_stream(
    container: av.container.OutputContainer, plan: OutputPlan, threads: int
) -> av.VideoStream:
    rule = plan.rule
    options = dict(rule.options)
    if plan.crf is not None:
        options["crf"] = f"{plan.crf:g}"
    if plan.preset is not None:
        options[rule.preset_option] = plan.preset
    if plan.pix_fmt.startswith(_SHARED_COLOUR):
        # Where it stands (see FrameConverter). H.264 and HEVC mean it by saying nothing.
        options["chroma_sample_location"] = "left"
    stream = container.add_stream(plan.codec, rate=plan.average_rate, options=options)
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = plan.width, plan.height, plan.pix_fmt
    context.time_base = plan.time_base
    context.thread_count = threads
    tag_stream(context, plan)
    return stream


def _open_codec(context: av.VideoCodecContext) -> None:
    """Opens an encoder whose threads have the priority of the caller. Raises av.FFmpegError."""
    with without_realtime_threads():
        context.open(strict=False)


def tag_stream(context: av.VideoCodecContext, plan: OutputPlan) -> None:
    """Writes the plan's colour tags into a codec context."""
    context.color_primaries = plan.color.primaries
    context.color_trc = plan.color.transfer
    context.colorspace = plan.color.matrix
    context.color_range = ColorRange.JPEG if plan.color.full_range else ColorRange.MPEG
