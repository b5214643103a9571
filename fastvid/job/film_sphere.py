"""What the film of a job shows of a sphere, and what goes with that."""

from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.sphere.projection import AUTO, Sphere, settle_sphere
from fastvid.sphere.seam import looks_like_a_sphere
from fastvid.style.model import StyleModel


def film_sphere(
    options: StylizeOptions, source: VideoSource, recurrent: StyleModel | None
) -> tuple[Sphere | None, list[str]]:
    """What the frames are taken for, None for flat pictures, and notes for the user.

    recurrent: the model, if it is one. Raises InputError for what does not go together.
    """
    sphere, notes = settle_sphere(source.info, options.projection, options.stereo)
    if sphere is None:
        if options.projection == AUTO and looks_like_a_sphere(source):
            notes.append(
                "looks like a 360 degree film without tags; --projection equirect paints it "
                "without a line at the back, --projection flat says that it is none"
            )
        return None, notes
    if recurrent is not None:
        if options.projection != AUTO:
            raise InputError(
                f"--projection {options.projection} does not go with the recurrent model "
                f"{recurrent.name}: its past would have to be laid out too. Take a frame model, or "
                "--projection flat."
            )
        return None, ["a sphere, which recurrent models paint as a flat picture: its back shows"]
    return sphere, notes
