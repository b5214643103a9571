"""Tags of a film and of its tracks: what is kept, under which name, and what was lost."""

from pathlib import Path

import av

from fastvid.encode.codecs import MOV_LANGUAGES

# Tags that describe the source's own coding or container and would be wrong in the output.
_STALE_TAGS = frozenset(
    {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "duration",
        "rotate",
        "bps",
        "number_of_frames",
        "number_of_bytes",
        "vendor_id",
        "_statistics_writing_app",
        "_statistics_writing_date_utc",
        "_statistics_tags",
    }
)
# Keys of the QuickTime File Format's metadata ("mdta") are names of domains turned round.
_DOMAIN = "com."
_MOV_MUXERS = frozenset({"mp4", "mov"})
# What says where a film was made: ISO 6709 places under Apple's, Android's and Matroska's keys.
_PLACE_WORDS = ("location", "xyz", "gps", "latitude", "longitude", "recorded_at")
# Names that each container gives a track, as libavformat reads them.
_TITLE, _NAME = "title", "name"


def kept_tags(metadata: dict[str, str], with_place: bool = True) -> dict[str, str]:
    """Tags of a file or stream without those that no longer hold after encoding again.

    with_place: False leaves out where the film was made.
    """
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _STALE_TAGS
        and (with_place or not any(word in key.lower() for word in _PLACE_WORDS))
    }


def track_tags(metadata: dict[str, str], muxer: str, with_place: bool = True) -> dict[str, str]:
    """The tags of a track for its copy, with the language in the code that the muxer knows, and
    its name as the title, which every muxer writes."""
    tags = kept_tags(metadata, with_place)
    if muxer == "mov" and "language" in tags:
        tags["language"] = MOV_LANGUAGES.get(tags["language"], tags["language"])
    name = tags.pop(_NAME, None) or tags.pop(_NAME.upper(), None)
    if name:
        tags.setdefault(_TITLE, name)
    return tags


def tag_options(tags: dict[str, str], muxer: str) -> dict[str, str]:
    """The muxer's options with which it writes all of a film's tags.

    MP4 and MOV have two lists of tags; only one of them holds keys of any name, and players look
    for the usual ones in the other. So it is taken where a phone's keys are there alone.
    """
    if muxer in _MOV_MUXERS and any(key.startswith(_DOMAIN) for key in tags):
        return {"movflags": "use_metadata_tags"}
    return {}


def lost_tags(path: Path, wanted: dict[str, str], ending: str) -> list[str]:
    """A note on the tags that a finished file, of this ending, does not give back."""
    if not wanted:
        return []
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        found = {key.lower() for key in container.metadata}
    # It is written in another form, and always.
    lost = sorted(key for key in wanted if key.lower() not in found | {"creation_time"})
    if not lost:
        return []
    return [f"the tags {', '.join(lost)} are left out: {ending} can't hold them"]
