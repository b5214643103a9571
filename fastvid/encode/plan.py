"""What is written where: the plan of an output, as it travels between processes."""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from fastvid.decode.frame import ColorTags
from fastvid.decode.sphere_tags import SphereTags, tags_from_table
from fastvid.encode.codecs import CODECS, CodecRule


@dataclass(frozen=True)
class OutputPlan:
    """What will be written where; made by `plan_output`, used by `open_encoder` and `mux`.

    path: the final name, absolute. container: libavformat's muxer, "" for a folder of images.
    width, height: encoded size, at most a pixel larger than the frames. pix_fmt: samples.
    crf, preset: None where the codec has none. color: the tags that are written.
    sphere: what is written of a sphere or of two eyes.
    notes: what the user should be told.
    """

    path: Path
    container: str
    codec: str
    crf: float | None
    preset: str | None
    width: int
    height: int
    pix_fmt: str
    time_base: Fraction
    average_rate: Fraction
    color: ColorTags
    notes: tuple[str, ...] = ()
    sphere: SphereTags | None = None

    @property
    def is_folder(self) -> bool:
        return not self.container

    def text(self) -> str:
        """For another process; the inverse of `plan_of_text`."""
        facts = asdict(self)
        facts["path"] = str(self.path)
        for name in ("time_base", "average_rate"):
            facts[name] = list(facts[name].as_integer_ratio())
        return json.dumps(facts)

    @property
    def rule(self) -> CodecRule:
        return CODECS[self.codec]


def plan_of_text(text: str) -> OutputPlan:
    """A plan as another process wrote it down."""
    facts = json.loads(text)
    facts["path"] = Path(facts["path"])
    for name in ("time_base", "average_rate"):
        facts[name] = Fraction(*facts[name])
    facts["color"] = ColorTags(**facts["color"])
    facts["notes"] = tuple(facts["notes"])
    facts["sphere"] = tags_from_table(facts["sphere"]) if facts["sphere"] else None
    return OutputPlan(**facts)
