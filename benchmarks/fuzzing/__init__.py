"""What is fuzzed: for each kind of input its good seeds, how they are changed, and who takes them.

A target is one entry of `TARGETS`. Its `taker(folder)` is called once in a process of its own and
gives the function that takes a case's bytes: it returns when they are accepted, raises HerbError
when they are refused, and whatever else it raises is a finding. It also checks what users rely on
when something is accepted.
"""

import importlib.util

from benchmarks.fuzzing.calls import call_seeds, change_call, take_calls
from benchmarks.fuzzing.checkpoints import change_pth, pth_seeds, take_pths
from benchmarks.fuzzing.keras import change_keras, keras_seeds, take_kerases
from benchmarks.fuzzing.models import (
    card_seeds,
    change_card,
    change_model,
    change_model_zip,
    model_zip_seeds,
    take_cards,
    take_model_zips,
    take_models,
)
from benchmarks.fuzzing.networks import model_seeds
from benchmarks.fuzzing.photos import change_photo, photo_seeds, take_photos
from benchmarks.fuzzing.target import MB, Target
from benchmarks.fuzzing.texts import (
    change_labels,
    change_state,
    change_text,
    label_seeds,
    name_seeds,
    state_seeds,
    take_labels,
    take_names,
    take_states,
)
from benchmarks.fuzzing.zips import change_zip, take_uploads, take_zips, zip_seeds

# One line each. `memory` bounds what one case may take: a photo of 40 megapixels is 160 MB in RGBA
# and passes through three such arrays on its way; a zip may hold one.
TARGETS: dict[str, Target] = {
    "photo": Target("`open_photo`", photo_seeds, change_photo, take_photos, 700 * MB),
    "zip": Target("`archive`: unpacked, read", zip_seeds, change_zip, take_zips, 300 * MB),
    "upload": Target(
        "`intake`: a zip, report, library", zip_seeds, change_zip, take_uploads, 300 * MB
    ),
    "model-zip": Target("`portable`: in, out", model_zip_seeds, change_model_zip, take_model_zips),
    "model": Target("`load_checkpoint`, all uses", model_seeds, change_model, take_models),
    "card": Target("`read_card`, all the page shows", card_seeds, change_card, take_cards),
    "label": Target("`labels`: a head's outputs", label_seeds, change_labels, take_labels),
    "pth": Target("`read_foreign`: PyTorch", pth_seeds, change_pth, take_pths, 128 * MB),
    "keras": Target("`read_keras`: HDF5", keras_seeds, change_keras, take_kerases, 128 * MB),
    "name": Target("`herbs`, folders, CSV and JSON", name_seeds, change_text, take_names, 100 * MB),
    "state": Target("files of `HERBDEMO_HOME`", state_seeds, change_state, take_states),
    "call": Target("the command line", call_seeds, change_call, take_calls, 200 * MB),
}
if importlib.util.find_spec("h5py") is None:  # who imports no file of Keras does without
    del TARGETS["keras"]
