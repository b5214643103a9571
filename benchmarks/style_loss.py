"""How good the bundled styles are by the loss that they were trained with.

    python benchmarks/style_loss.py --data PHOTOS --paintings FOLDER --loss-network FILE

For every bundled style with a painting of its name in the folder: content + style loss of the
painted photographs that training held out, beside direct optimisation of the same loss by Adam from
the photograph (100 steps of 5 levels, 256x256). Prints medians over the photographs.
"""

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from fastvid.style.cards import bundled_styles
from fastvid.style.loading import load_style
from fastvid.style.losses import content_loss, style_loss, style_target
from fastvid.style.lossnet import LossNetwork, load_loss_network
from fastvid.style.model import set_threads
from fastvid.training.photos import find_photos, read_painting, read_photo
from fastvid.training.report import square
from fastvid.training.sampling import as_images
from fastvid.training.settings import TrainingSettings
from harness.result import Figure, add_json_option, measured, write_result

SIZE = 256
ADAM_STEPS = 100
ADAM_STEP_LEVELS = 5.0
CPU = torch.device("cpu")

# Features or Gram matrices by layer.
Features = Mapping[str, torch.Tensor]


def loss_of(
    network: LossNetwork,
    images: torch.Tensor,
    wanted: Features,
    target: Features,
    settings: TrainingSettings,
) -> torch.Tensor:
    """Content + style loss with the weights of the settings."""
    features = network(images)
    content = content_loss(features, wanted, network.layers.content)
    style = style_loss(features, target)
    return settings.content_weight * content + settings.style_weights[0] * style


def optimised(
    network: LossNetwork,
    photo: torch.Tensor,
    wanted: Features,
    target: Features,
    settings: TrainingSettings,
) -> float:
    """The loss after Adam on the pixels, started from the photograph."""
    pixels = photo.clone().requires_grad_(True)
    adam = torch.optim.Adam([pixels], lr=ADAM_STEP_LEVELS)
    for _ in range(ADAM_STEPS):
        adam.zero_grad()
        loss_of(network, pixels, wanted, target, settings).backward()
        adam.step()
    with torch.no_grad():
        return float(loss_of(network, pixels.clamp(0, 255), wanted, target, settings))


def compare(
    style: str,
    painting: Path,
    photos: list[np.ndarray],
    network: LossNetwork,
    settings: TrainingSettings,
) -> tuple[float, float]:
    """Median losses over the photographs: of the style's paintings, of direct optimisation."""
    model = load_style(style)
    picture = read_painting(str(painting), settings.painting_sides[0])
    target = style_target(network, as_images([picture], CPU))
    ours, direct = [], []
    for photo in photos:
        image = as_images([photo], CPU)
        (painted,) = model.paint([np.ascontiguousarray(photo[..., ::-1])])
        with torch.no_grad():
            wanted = network(image)
            result = as_images([painted[..., ::-1]], CPU)
            ours.append(float(loss_of(network, result, wanted, target, settings)))
        direct.append(optimised(network, image, wanted, target, settings))
    return statistics.median(ours), statistics.median(direct)


def main() -> None:
    """Prints a row for each style."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "paintings", "loss-network"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--photos", type=int, default=20, help="how many of those held out")
    parser.add_argument("--threads", type=int, default=1)
    add_json_option(parser)
    args = parser.parse_args()
    set_threads(args.threads)
    settings = TrainingSettings()
    network = load_loss_network(args.loss_network)
    held_out = find_photos(args.data, SIZE).held_out[: args.photos]
    photos = [square(read_photo(path, SIZE), SIZE) for path in held_out]
    paintings = {path.stem: path for path in Path(args.paintings).iterdir()}
    figures: list[Figure] = []
    print(f"{'style':16} {'painted':>8} {'direct':>8} {'ratio':>6}   ({len(photos)} photographs)")
    for card in bundled_styles():
        if card.name in paintings:
            ours, direct = compare(card.name, paintings[card.name], photos, network, settings)
            values = {"painted": ours, "direct": direct, "ratio": ours / direct}
            figures += [
                Figure(name, value, "ratio" if name == "ratio" else "loss", {"style": card.name})
                for name, value in values.items()
            ]
            print(f"{card.name:16} {ours:8.3f} {direct:8.3f} {ours / direct:6.2f}", flush=True)
    write_result(args.json, measured("style_loss", args, figures, {"photographs": len(photos)}))


if __name__ == "__main__":
    main()
