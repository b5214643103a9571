"""What the film of a job shows of a sphere, and what goes with that."""

from fastvid.decode.source import VideoSource
from fastvid.job.options import StylizeOptions
from fastvid.sphere.projection import AUTO, Sphere, settle_sphere
from fastvid.sphere.seam import looks_like_a_sphere


def film_sphere(options: StylizeOptions, source: VideoSource) -> tuple[Sphere | None, list[str]]:
    """What the frames are taken for, None for flat pictures, and notes for the user.

    Raises InputError for what does not go together.
    """
    sphere, notes = settle_sphere(
        source.info, options.projection, options.stereo, str(options.input)
    )
    if sphere is None:
        if options.projection == AUTO and looks_like_a_sphere(source):
            notes.append(
                "looks like a 360 degree film without tags; --projection equirect paints it "
                "without a line at the back, --projection flat says that it is none"
            )
        return None, notes
    return sphere, notes
