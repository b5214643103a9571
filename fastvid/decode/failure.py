"""What a decoder reports in place of a picture."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """The decoder or the demuxer reported an error. loses_frame: with it a picture is gone."""

    reason: str
    loses_frame: bool = True
