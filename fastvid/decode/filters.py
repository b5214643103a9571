"""libavfilter graphs: interlaced to whole frames, any pixel format to upright RGB of one size."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from fastvid.decode.colors import source_color
from fastvid.decode.tonemap import ToneMapper, source_peak_nits

# Exact rounding and chroma at full resolution; without them swscale is off by several levels.
_EXACT = "accurate_rnd+full_chroma_int"
# Chroma alone is interpolated when the size stays; bicubic costs twice as much there for no gain
# that can be seen.
_SAME_SIZE_FLAGS = f"bilinear+{_EXACT}"
_RESIZE_FLAGS = f"bicubic+{_EXACT}"


class _Chain:
    """A linear graph of filters for frames of one size and pixel format."""

    def __init__(self, template: VideoFrame, filters: list[tuple[str, str]]) -> None:
        self._graph = Graph()
        self._graph.threads = 1
        nodes = [
            self._graph.add_buffer(
                width=template.width,
                height=template.height,
                format=template.format,
                # Pictures that are decoded by themselves have none; no filter here asks for times.
                time_base=template.time_base or Fraction(1, 1000),
            )
        ]
        nodes += [self._graph.add(name, arguments) for name, arguments in filters]
        nodes.append(self._graph.add("buffersink"))
        self._graph.link_nodes(*nodes)
        self._graph.configure()

    def push(self, frame: VideoFrame | None) -> None:
        self._graph.vpush(frame)

    def pull(self) -> Iterator[VideoFrame]:
        """The frames that are ready."""
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


class Deinterlacer:
    """Makes whole frames of interlaced ones (bwdif), one frame out for each frame in, in order.

    Frames that are not marked interlaced pass unchanged. Nothing is filtered, and no frame is
    delayed, before the first interlaced one; after it, a frame comes out when the next goes in.
    """

    def __init__(self) -> None:
        self._chain: _Chain | None = None
        self._shape = (0, 0, "")
        self._previous: VideoFrame | None = None
        self._skip = 0
        self._waiting: deque[int] = deque()

    def push(self, index: int, frame: VideoFrame) -> list[tuple[int, VideoFrame]]:
        """The frames that are now finished, each with the index that it came with."""
        finished: list[tuple[int, VideoFrame]] = []
        if self._chain is not None and _shape(frame) != self._shape:
            finished = self.flush()
        if self._chain is None and not frame.interlaced_frame:
            self._previous = frame
            return [*finished, (index, frame)]
        if self._chain is None:
            self._chain = self._start(frame)
        self._waiting.append(index)
        return finished + self._pass(self._chain, frame)

    def _start(self, frame: VideoFrame) -> _Chain:
        """Builds the graph; the frame before goes in first: the fields are compared with it."""
        chain = _Chain(frame, [("bwdif", "mode=send_frame:parity=auto:deint=interlaced")])
        self._shape = _shape(frame)
        if self._previous is not None and _shape(self._previous) == self._shape:
            self._skip = 1
            chain.push(self._previous)
        self._previous = None
        return chain

    def _pass(self, chain: _Chain, frame: VideoFrame | None) -> list[tuple[int, VideoFrame]]:
        chain.push(frame)
        finished = []
        for made in chain.pull():
            if self._skip:
                self._skip -= 1
            else:
                finished.append((self._waiting.popleft(), made))
        return finished

    def flush(self) -> list[tuple[int, VideoFrame]]:
        """The frames that were held back; the next `push` starts afresh."""
        if self._chain is None:
            return []
        chain, self._chain = self._chain, None
        finished = self._pass(chain, None)
        self._waiting.clear()
        self._skip = 0
        return finished


def _planes_12bit(frame: VideoFrame) -> np.ndarray:
    """(3, height, width) uint16 of a gbrp12le frame, in the order red, green, blue."""
    green, blue, red = (
        np.frombuffer(memoryview(plane), np.uint16).reshape(frame.height, -1)[:, : frame.width]
        for plane in frame.planes
    )
    return np.stack([red, green, blue])


class RgbConverter:
    """Decoded frames of any size and pixel format to (height, width, 3) uint8 RGB of one size.

    width, height: of the result, upright. turn: libavfilter filters that stand the picture upright.
    HDR frames are tone-mapped, from a peak of `peak_nits`, by default from that of the first one
    that comes. Alpha is dropped. chroma: where colour stands that is stored for two pixels, `left`
    or `center`.
    """

    def __init__(
        self,
        width: int,
        height: int,
        turn: str = "",
        peak_nits: float | None = None,
        chroma: str = "left",
    ) -> None:
        self._width, self._height = width, height
        self._turn = turn
        self._chroma = chroma
        self._peak_nits = peak_nits
        self._chain: _Chain | None = None
        self._mapper: ToneMapper | None = None
        self._key: tuple[object, ...] = ()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        color = source_color(frame)
        key = (*_shape(frame), color)
        if self._chain is None or key != self._key:
            self._key = key
            peak_nits = self._peak_nits or source_peak_nits(frame)
            self._mapper = ToneMapper(color.hdr, peak_nits) if color.hdr else None
            self._chain = self._build(frame)
        self._chain.push(frame)
        made = next(self._chain.pull())
        if self._mapper is not None:
            return self._mapper(_planes_12bit(made))
        return np.ascontiguousarray(made.to_ndarray())

    def _build(self, frame: VideoFrame) -> _Chain:
        color = source_color(frame)
        swap = self._turn.startswith("transpose")
        width, height = (self._height, self._width) if swap else (self._width, self._height)
        same = (width, height) == (frame.width, frame.height)
        flags = _SAME_SIZE_FLAGS if same else _RESIZE_FLAGS
        scale = (
            f"{width}:{height}:flags={flags}:out_range=full:"
            f"in_range={'full' if color.full_range else 'limited'}"
        )
        if not frame.format.is_rgb:
            scale += f":in_color_matrix={color.matrix_name}:in_chroma_loc={self._chroma}"
        filters = [("scale", scale), ("format", "gbrp12le" if color.hdr else "rgb24")]
        for step in self._turn.split(",") if self._turn else []:
            name, _, arguments = step.partition("=")
            filters.append((name, arguments))
        return _Chain(frame, filters)
