"""Which stages a run has, by the kind of its styles' models, and which options suit them."""

from collections.abc import Sequence

from fastvid.errors import InputError
from fastvid.motion.source import MotionSource
from fastvid.options import StylizeOptions
from fastvid.recurrent import RecurrentRepaint
from fastvid.repaint import Repaint
from fastvid.stage_settings import PictureSettings
from fastvid.style.model import StyleModel
from fastvid.style.recurrent import RecurrentModel


def recurrent_models(models: Sequence[StyleModel]) -> list[RecurrentModel]:
    """The models as recurrent ones; none if they paint frames on their own.

    Raises InputError if there are some of each kind.
    """
    recurrent = [model for model in models if isinstance(model, RecurrentModel)]
    if recurrent and len(recurrent) < len(models):
        other = next(model for model in models if not isinstance(model, RecurrentModel))
        raise InputError(f"{recurrent[0].name} is a recurrent model and {other.name} is not: they "
                         "are painted in different ways. Give each kind a run of its own.")
    return recurrent


def check_kind(options: StylizeOptions, models: Sequence[StyleModel]) -> bool:
    """Whether the run is one of recurrent models.

    Raises InputError if options do not go with the kind of the models, or the models not together.
    """
    default = StylizeOptions(options.input, options.output)
    recurrent = bool(recurrent_models(models))
    if not recurrent:
        if options.first_frame_model is not None:
            raise InputError(f"--first-frame-model is for recurrent models; {models[0].name} "
                             "paints every frame on its own. Leave it out.")
        if options.overlap is not None:
            raise InputError(f"--pipeline overlap is for recurrent models; {models[0].name} paints "
                             "every frame on its own, which is parallel anyway. Leave it out.")
        return False
    for name, why in (
            ("temporal_strength", "the network itself keeps the picture steady"),
            ("strength", "it continues its own pictures, not mixtures with the film"),
            ("keep_colors", "it continues its own pictures, with the colours it gave them")):
        if getattr(options, name) != getattr(default, name):
            raise InputError(f"--{name.replace('_', '-')} does not go with the recurrent model "
                             f"{models[0].name}: {why}. Leave it out.")
    return True


def choose_stages(models: Sequence[StyleModel], settings: PictureSettings,
                  keep: tuple[str, ...] = (), batch_size: int = 1,
                  first: StyleModel | None = None,
                  source: MotionSource | None = None) -> Repaint | RecurrentRepaint:
    """The stages of these models.

    batch_size: of frame models. first: paints the first frames of shots for recurrent models.
    source: of flow and masks; None estimates them as the settings say.
    """
    recurrent = recurrent_models(models)
    if recurrent:
        return RecurrentRepaint(recurrent, settings, keep, first, source)
    return Repaint(models, settings, keep, batch_size, source)
