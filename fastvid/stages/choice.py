"""Which stages a run has, by the kind of its styles' models."""

from collections.abc import Sequence

from fastvid.errors import InputError
from fastvid.motion.source import MotionSource
from fastvid.stages.recurrent import RecurrentRepaint
from fastvid.stages.regional import RegionalRepaint
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings
from fastvid.style.model import StyleModel
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
    models: Sequence[StyleModel | None],
    settings: PictureSettings,
    keep: tuple[str, ...] = (),
    batch_size: int = 1,
    first: StyleModel | None = None,
    source: MotionSource | None = None,
    region_models: Sequence[StyleModel] = (),
) -> Repaint | RecurrentRepaint | RegionalRepaint:
    """The stages of these models.

    models: one for each output; None, where there are regions, leaves the film. batch_size: of
    frame models. first: paints the first frames of shots for recurrent models. source: of flow and
    masks; None estimates them as the settings say. region_models: of the regions in the settings.
    """
    if settings.regions:
        return RegionalRepaint(models, region_models, settings, keep, batch_size, source)
    painters = [model for model in models if model is not None]
    recurrent = recurrent_models(painters)
    if recurrent:
        return RecurrentRepaint(recurrent, settings, keep, first, source)
    return Repaint(painters, settings, keep, batch_size, source)
