"""A training of a tiny network with replay, for `test_distributed.py` to run in real processes.

python tests/tiny_training.py FOLDER      prints the figures of its epochs as one JSON line
"""

import json
import sys
from pathlib import Path

import torch
from toys import HERBS, TinyNet

from herbdemo import distributed
from herbdemo.calibrate import feature_statistics
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import scan, train_and_val
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import extract
from herbdemo.recipe import Recipe
from herbdemo.replay import remember
from herbdemo.train import fit, herbs_of

SETTINGS = Preprocessing(size=32)
RECIPE = Recipe(epochs=3, batch=8, depth=2, sizes=((0.0, 32),), mix=1.0)


def main(place: Path) -> None:
    torch.manual_seed(0)
    network = TinyNet(len(HERBS))
    known = extract(TorchEngine(network), scan(place / "known"), HERBS, SETTINGS)
    statistics = feature_statistics(known, len(HERBS))
    model = Checkpoint("tiny", network, HERBS, SETTINGS, statistics=statistics)
    train, val = train_and_val(place / "photos")
    _, history = fit(
        network,
        train,
        val,
        run=place / f"run-{distributed.world()}",
        preprocessing=SETTINGS,
        recipe=RECIPE,
        herbs=(*HERBS, "另一种"),
        memory=remember(model, set(herbs_of(train))),
    )
    if distributed.first():
        sys.stdout.write(json.dumps(history) + "\n")
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
