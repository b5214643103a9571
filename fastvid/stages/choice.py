"""Which stages a run has, by the kind of its styles' models."""

from collections.abc import Sequence

from fastvid.errors import InputError
from fastvid.motion.source import MotionSource
from fastvid.sphere.painting import SpherePainter
from fastvid.sphere.projection import Sphere
from fastvid.stages.recurrent import RecurrentRepaint
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings
from fastvid.style.model import StyleModel
from fastvid.style.painter import Painter
from fastvid.style.recurrent import RecurrentModel


def recurrent_models(models: Sequence[StyleModel]) -> list[RecurrentModel]:
    """The models as recurrent ones; none if they paint frames on their own.

    Raises InputError if there are some of each kind.
    """
    recurrent = [model for model in models if isinstance(model, RecurrentModel)]
    if recurrent and len(recurrent) < len(models):
        other = next(model for model in models if not isinstance(model, RecurrentModel))
        raise InputError(
            f"{recurrent[0].name} is a recurrent model and {other.name} is not: they "
            "are painted in different ways. Give each kind a run of its own."
        )
    return recurrent


def choose_stages(
    models: Sequence[StyleModel],
    settings: PictureSettings,
    keep: tuple[str, ...] = (),
    batch_size: int = 1,
    first: StyleModel | None = None,
    source: MotionSource | None = None,
) -> Repaint | RecurrentRepaint:
    """The stages of these models.

    batch_size: of frame models. first: paints the first frames of shots for recurrent models.
    source: of flow and masks; None estimates them as the settings say.
    """
    recurrent = recurrent_models(models)
    if recurrent:
        return RecurrentRepaint(recurrent, settings, keep, first, source)
    painters = [painter_of(model, settings.sphere) for model in models]
    return Repaint(painters, settings, keep, batch_size, source)


def painter_of(model: StyleModel, sphere: Sphere | None) -> Painter:
    """What paints the frames of a film with a model: itself, or with the sphere laid out before."""
    return model if sphere is None else SpherePainter(model, sphere)
