"""Whether a run fits: the room on the disk and the memory of every host, estimated before the
start."""

from collections.abc import Sequence

from fastvid.decode.frame import VideoInfo
from fastvid.encode.encoded_parts import PART_FRAMES
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.parallel.engine.recurrent import READY_FRAMES
from fastvid.parallel.mpi.peer import Peer
from fastvid.system.resources import free_disk_bytes, human_bytes

# Bytes a pixel of one frame in a task: input, sampling map, gate and deblurring factors; and for
# each style a painted frame, which gives way to the finished one.
_TASK_BYTES_PER_PX = 3 + 8 + 6
_STYLE_BYTES_PER_PX = 3
# With recurrent models: the image alone, and what the network is told of its past (`recurrent`).
_IMAGE_BYTES_PER_PX = 3
_PAST_BYTES_PER_PX = 8 + 1
# DIS and the masks while they work on one pair (measured at 1280x720: 55 bytes a pixel).
_FLOW_BYTES_PER_PX = 64
# A decoder with the 16 pictures that H.264 and HEVC may refer to, and those on their way, 4:2:0.
_DECODER_BYTES_PER_PX = 20 * 3 // 2
# Interpreter, libraries and the frame model's weights (measured: 330 MB).
_BASE_BYTES = 400 << 20
# Regions: a mask in every frame; weights and shares of the frames at hand; where their edges follow
# the picture, the guided filter at work (some 30 planes of float32).
_REGION_FRAMES = 8
_REFINING_BYTES_PER_PX = 120
# Each output has a gate of its own then.
_GATE_BYTES_PER_PX = 2
# Rank 0 besides: frames decoded ahead, fetched ones.
_RANK0_FRAMES = 48
# An encoder with its look-ahead (libx264, medium: 60 frames at 1.5 bytes a pixel and their
# references).
_ENCODER_BYTES_PER_PX = 160
# What encoded video and tables may take beside the frames.
_ENCODED_SHARE = 0.10
_RESERVE_BYTES = 64 << 20


def frame_bytes(info: VideoInfo, keep: Sequence[str], regions: int = 0) -> int:
    """Bytes that a frame takes in the run file, uncompressed."""
    kept = {"flow": 8, "occlusion": 1, "regions": regions}
    return info.width * info.height * (3 + sum(kept[name] for name in keep))


def run_file_bytes(info: VideoInfo, options: StylizeOptions) -> int | None:
    """Bytes that the run file will grow to, None where the number of frames is not known."""
    count = info.frame_count_estimate
    if options.discard_frames:
        count = 2 * PART_FRAMES if count is None else min(count, 2 * PART_FRAMES)
    if count is None:
        return None
    return count * _frame_bytes(info, options) * len(options.styles)


def _frame_bytes(info: VideoInfo, options: StylizeOptions) -> int:
    return frame_bytes(info, options.keep, len(options.regions))


def check_disk(info: VideoInfo, options: StylizeOptions, stored_frames: int) -> None:
    """Raises InputError if the run file and the output will not fit where they are to be
    written."""
    needed = run_file_bytes(info, options)
    if needed is None:
        return
    stored = stored_frames * _frame_bytes(info, options) * len(options.styles)
    needed = max(0, needed - stored)
    needed += int(_ENCODED_SHARE * needed) + _RESERVE_BYTES
    free = free_disk_bytes(options.run_path)
    if needed <= free:
        return
    ways = ["a --run-file on a larger file system", "a smaller --size"]
    if not options.discard_frames:
        ways.insert(0, "--discard-frames (keeps only frames that are not yet encoded)")
    raise InputError(
        f"The run needs about {human_bytes(needed)} in {options.run_path.parent.absolute()}, but "
        f"only {human_bytes(free)} are free.\nUse {' or '.join(ways)}."
    )


def rank_bytes(
    info: VideoInfo, options: StylizeOptions, paint_bytes: int, recurrent: bool = False
) -> int:
    """Memory that a rank needs at most, whatever the length of the video."""
    pixels = info.width * info.height
    held = options.held_at_most(recurrent)
    kept = 9 if options.keep else 0
    styles = _STYLE_BYTES_PER_PX * len(options.styles)
    if options.stretches is not None:
        waiting = held * options.stretches.segment * (_IMAGE_BYTES_PER_PX + styles + kept)
        task = waiting + (held * options.stretches.seam_frames + READY_FRAMES) * _PAST_BYTES_PER_PX
    elif recurrent:
        frames = held * (options.segment_length + 1)
        task = frames * (_IMAGE_BYTES_PER_PX + styles + kept) + READY_FRAMES * _PAST_BYTES_PER_PX
    else:
        task = held * (options.segment_length + 1) * (_TASK_BYTES_PER_PX + styles + kept)
    decoder = _DECODER_BYTES_PER_PX if options.decode != "rank0" else 0
    regions = _regions_bytes_per_px(options, held * (options.segment_length + 1))
    return _BASE_BYTES + pixels * (task + decoder + regions + _FLOW_BYTES_PER_PX) + paint_bytes


def _regions_bytes_per_px(options: StylizeOptions, frames: int) -> int:
    """What masks add to a rank that holds so many frames."""
    count, outputs = len(options.regions), len(options.styles)
    if not count:
        return 0
    at_hand = _REGION_FRAMES * (count + outputs * (count + 1))
    return frames * (count + outputs * _GATE_BYTES_PER_PX) + at_hand + _REFINING_BYTES_PER_PX


def rank0_extra_bytes(info: VideoInfo, options: StylizeOptions) -> int:
    """What rank 0 needs beyond the other ranks."""
    pixels = info.width * info.height
    frames = _RANK0_FRAMES + 4 * options.segment_length
    if options.stretches is not None:
        frames += 2 * (options.stretches.seam_frames + options.stretches.warm_up)
    masks = frames * len(options.regions)
    return pixels * ((3 * frames + _ENCODER_BYTES_PER_PX) * len(options.styles) + masks)


def check_memory(
    info: VideoInfo,
    options: StylizeOptions,
    paint_bytes: int,
    peers: Sequence[Peer],
    recurrent: bool = False,
) -> None:
    """Raises InputError if the ranks of a host need more memory than it has left.

    paint_bytes: what painting one frame takes at its peak.
    """
    each = rank_bytes(info, options, paint_bytes, recurrent)
    for host, here in _by_host(peers).items():
        needed = _host_bytes(info, options, each, here)
        available = _available(here)
        if needed > available:
            raise InputError(
                f"{info.width}x{info.height} frames need about {human_bytes(each)} a rank, "
                f"{human_bytes(needed)} for the {len(here)} on {host}, which has "
                f"{human_bytes(available)} left.\n"
                "Use a smaller --size, fewer ranks a host, or less of --segment-length, "
                "--lookahead or --overlap-segment."
            )


def encoders_by_host(
    info: VideoInfo,
    options: StylizeOptions,
    paint_bytes: int,
    peers: Sequence[Peer],
    recurrent: bool = False,
) -> dict[str, int]:
    """How many ranks of each host may encode for rank 0 at a time: what else they need leaves room
    for so many encoders.

    Arguments as for `check_memory`, which has passed.
    """
    each = rank_bytes(info, options, paint_bytes, recurrent)
    return {
        host: (_available(here) - _host_bytes(info, options, each, here)) // encoder_bytes(info)
        for host, here in _by_host(peers).items()
    }


def encoder_bytes(info: VideoInfo) -> int:
    """What a rank needs besides while it encodes a part for rank 0."""
    return info.width * info.height * _ENCODER_BYTES_PER_PX


def _by_host(peers: Sequence[Peer]) -> dict[str, list[Peer]]:
    by_host: dict[str, list[Peer]] = {}
    for peer in peers:
        by_host.setdefault(peer.host, []).append(peer)
    return by_host


def _host_bytes(info: VideoInfo, options: StylizeOptions, each: int, here: Sequence[Peer]) -> int:
    """What the ranks of a host need. each: what one of them needs."""
    rank0 = rank0_extra_bytes(info, options) if here[0].rank == 0 else 0
    return each * len(here) + rank0


def _available(here: Sequence[Peer]) -> int:
    return min(peer.memory_bytes for peer in here)
