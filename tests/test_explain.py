"""Explanations: nothing of them outlives a call, and they agree with the package's own."""

import contextlib
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import HERBS, herb_photo, refusal, same

from herbdemo import explain, heatmap
from herbdemo.explain import LAYERS, METHODS, SLOW, Explainer, Stopped
from herbdemo.network import HerbNet, with_head
from herbdemo.recognise import Recogniser

cam = pytest.importorskip("pytorch_grad_cam")
QUICK = [method for method in METHODS if method not in SLOW]
HERB = HERBS[0]


@pytest.fixture
def explainer(toy) -> Explainer:
    return Explainer(toy)


@pytest.fixture
def photo():
    return herb_photo(HERB, 1)


def state(network: HerbNet) -> list:
    """All that a method might leave behind in a network."""
    hooks = (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_full_backward_hooks",
    )
    return [
        [(name, id(module), module.training) for name, module in network.named_modules()],
        [len(getattr(m, hook, ())) for m in network.modules() for hook in hooks],
        [(name, p.requires_grad, p.grad is None) for name, p in network.named_parameters()],
        [value.clone() for value in network.state_dict().values()],
    ]


def unchanged(network: HerbNet, before: list) -> bool:
    *plain, tensors = state(network)
    hooks = plain[1]
    return (
        plain == before[:-1]
        and not any(hooks)
        and all(torch.equal(a, b) for a, b in zip(tensors, before[-1], strict=True))
    )


# What comes back


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("method", QUICK)
def test_every_method_explains_every_layer(explainer, photo, method, layer):
    found = explainer.explain(photo, HERB, method=method, layer=layer)
    assert (found.method, found.layer, found.herb) == (method, layer, HERB)
    side = 64 // (4 * 2 ** LAYERS.index(layer))
    assert found.values.shape == (side, side)
    assert found.values.dtype == np.float32
    assert found.values.min() >= 0
    assert found.values.max() <= 1
    assert found.values.any() == (found.peak > 0)


@pytest.mark.parametrize("method", sorted(SLOW))
def test_the_slow_methods_tell_how_far_they_are(explainer, photo, method):
    told = []
    found = explainer.explain(photo, HERB, method=method, layer="layer1", progress=told.append)
    assert found.values.shape == (16, 16)
    assert told == sorted(told)
    assert len(told) > 10
    assert (told[0], told[-1]) == (0, 1)


def test_grad_cam_of_the_last_layer_is_the_closed_form_without_a_second_network(explainer, photo):
    found = explainer.explain(photo, HERB)
    assert explainer._copy is None
    A = explainer.see(photo).stages[-1][0].numpy()
    raw = heatmap.class_maps(A, explainer._head.weight[:1])[0]
    np.testing.assert_allclose(found.values, heatmap.normalised(raw), atol=1e-6)
    theirs = explainer.explain(photo, HERB, method="hires-cam")  # equal for such a network
    np.testing.assert_allclose(found.values, theirs.values, atol=1e-5)
    assert found.peak == pytest.approx(theirs.peak, rel=1e-4)


def test_without_positive_evidence_the_map_is_all_zero(toy, photo):
    fc = toy.network.fc
    against = with_head(toy.network, -fc.weight.abs(), fc.bias)
    explainer = Explainer(replace(toy, network=against))
    for method in ("grad-cam", "layer-cam", "grad-cam++", "hires-cam", "xgrad-cam"):
        found = explainer.explain(photo, HERB, method=method)
        assert not found.values.any(), method
        assert found.peak == 0


def test_a_photo_seen_once_gives_the_same_maps(explainer, photo):
    seen = explainer.see(photo)
    tensor = explainer.checkpoint.preprocessing.tensor(photo.image)
    maps = [
        explainer.explain(given, HERB, method="grad-cam", layer="layer3").values
        for given in (photo, seen, tensor)
    ]
    assert same(maps[0], maps[1])
    assert same(maps[0], maps[2])
    assert seen.probabilities.sum() == pytest.approx(1)
    batch = torch.stack([tensor, tensor])
    np.testing.assert_allclose(
        explainer.probabilities(batch, HERBS[2]), seen.probabilities[2], atol=1e-6
    )


def test_finer_cam_tells_a_herb_from_the_likeliest_other_one(explainer, photo):
    seen = explainer.see(photo)
    order = [HERBS[k] for k in np.argsort(-seen.probabilities)]
    assert explainer.explain(seen, order[0], method="finer-cam").against == order[1]
    assert explainer.explain(seen, order[3], method="finer-cam").against == order[0]
    chosen = explainer.explain(seen, order[0], method="finer-cam", against=order[4])
    assert chosen.against == order[4]
    positive = np.maximum(explainer.contrast(seen, order[0], order[4]), 0)
    np.testing.assert_allclose(chosen.values, heatmap.normalised(positive), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"herb": "人参"}, "herb-not-in-model"),
        ({"against": "人参", "method": "finer-cam"}, "herb-not-in-model"),
        ({"method": "grad-cam-3"}, "no-such-method"),
        ({"method": "x" * 5000}, "no-such-method"),
        ({"layer": "fc"}, "no-such-layer"),
        ({"layer": "__class__"}, "no-such-layer"),
    ],
)
def test_what_there_is_not_is_refused(explainer, photo, given, hint):
    given = {"herb": HERB} | given
    assert refusal(explainer.explain, photo, **given).hint == hint


# Agreement with the package


@pytest.mark.parametrize("layer", ["layer3", "layer4"])
@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        ("grad-cam", "GradCAM"),
        ("grad-cam++", "GradCAMPlusPlus"),
        ("layer-cam", "LayerCAM"),
        ("hires-cam", "HiResCAM"),
        ("xgrad-cam", "XGradCAM"),
    ],
)
def test_agrees_with_the_package_on_the_whole_network(explainer, photo, method, theirs, layer):
    network = explainer._own_network().requires_grad_(True)
    target = cam.utils.model_targets.ClassifierOutputTarget(0)
    seen = explainer.see(photo)
    with getattr(cam, theirs)(network, [getattr(network, layer)]) as oracle:
        expected = oracle(seen.x, [target])[0]
    found = explainer.explain(seen, HERB, method=method, layer=layer)
    np.testing.assert_allclose(heatmap.grad_cam(found.raw, (64, 64)), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("method", "theirs"), [("ablation-cam", "AblationCAM"), ("score-cam", "ScoreCAM")]
)
def test_the_slow_methods_agree_with_the_package(explainer, photo, method, theirs, capsys):
    seen = explainer.see(photo)
    herb = HERBS[int(np.argmax(seen.probabilities))]  # the package turns negative scores around
    found = explainer.explain(seen, herb, method=method, layer="layer1")
    assert capsys.readouterr() == ("", "")
    network = explainer._own_network()
    options = {"batch_size": 8} if theirs == "AblationCAM" else {}
    oracle = getattr(cam, theirs)(network, [network.layer1], **options)
    target = cam.utils.model_targets.ClassifierOutputTarget(HERBS.index(herb))
    expected = oracle(seen.x, [target])[0]
    np.testing.assert_allclose(heatmap.grad_cam(found.raw, (64, 64)), expected, atol=5e-3)


def test_a_herb_with_a_negative_score_is_not_shown_inside_out(toy, photo):
    """Ablation-CAM of the last layer in closed form: what a channel adds, whatever the score."""
    fc = toy.network.fc
    explainer = Explainer(replace(toy, network=with_head(toy.network, fc.weight, fc.bias - 10)))
    seen = explainer.see(photo)
    A = seen.stages[-1][0].numpy()
    adds = fc.weight[0].numpy() * A.mean(axis=(1, 2))
    expected = heatmap.normalised(heatmap.class_maps(A, adds[None]))[0]
    found = explainer.explain(seen, HERB, method="ablation-cam")
    np.testing.assert_allclose(found.values, expected, atol=1e-2)


def test_a_principal_direction_points_at_the_stronger_peak(explainer, photo):
    raw = explainer.explain(photo, HERB, method="eigen-cam", layer="layer3")
    again = explainer.explain(photo, HERBS[3], method="eigen-cam", layer="layer3")
    assert same(raw.values, again.values)  # it knows no herbs


# What is left behind


@pytest.mark.parametrize(
    ("method", "layer"),
    [
        *((method, layer) for method in QUICK for layer in ("layer1", "layer4")),
        ("ablation-cam", "layer4"),
        ("score-cam", "layer1"),  # 256 channels instead of 2048
    ],
)
def test_nothing_is_left_behind(toy, photo, method, layer):
    explainer = Explainer(toy)
    served, own = state(toy.network), state(explainer._own_network())
    explainer.explain(photo, HERB, method=method, layer=layer)
    assert unchanged(toy.network, served)
    assert unchanged(explainer._own_network(), own)
    assert explainer._own_network() is not toy.network


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind_by_what_raises(toy, photo, method, monkeypatch):
    explainer = Explainer(toy)
    served, own = state(toy.network), state(explainer._own_network())
    seen = explainer.see(photo)

    def broken(*values):
        raise RuntimeError("broken")

    # A flatten is the last thing before the head: all hooks hang, and a layer may be swapped.
    monkeypatch.setattr(torch.nn.Flatten, "forward", broken)
    with pytest.raises(RuntimeError, match="broken"):
        explainer.explain(seen, HERB, method=method, layer="layer3")
    monkeypatch.undo()
    assert unchanged(toy.network, served)
    assert unchanged(explainer._own_network(), own)
    assert explainer.explain(seen, HERB, method="layer-cam", layer="layer3").values.any()


@pytest.mark.parametrize("method", sorted(SLOW))
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_stop_is_heard_and_leaves_nothing_behind(toy, photo, method, after):
    explainer = Explainer(toy)
    own = state(explainer._own_network())
    told = []
    with pytest.raises(Stopped):
        explainer.explain(
            photo,
            HERB,
            method=method,
            layer="layer2",
            progress=told.append,
            stop=lambda: len(told) >= after,
        )
    assert len(told) == after
    assert unchanged(explainer._own_network(), own)
    assert unchanged(toy.network, state(toy.network))
    assert not any(turn.locked() for turn in explainer._turns.values())


def test_who_waits_for_a_turn_may_be_stopped_and_quick_maps_need_not_wait(explainer, photo):
    began, go_on = threading.Event(), threading.Event()

    def hold(share: float) -> None:
        began.set()
        assert go_on.wait(30)

    options = {"method": "score-cam", "layer": "layer1"}

    def run() -> None:
        with contextlib.suppress(Stopped):
            explainer.explain(photo, HERB, **options, progress=hold, stop=go_on.is_set)

    slow = threading.Thread(target=run)
    slow.start()
    assert began.wait(30)
    try:
        assert explainer.explain(photo, HERB, method="layer-cam", layer="layer2").values.any()
        with pytest.raises(Stopped):
            explainer.explain(photo, HERB, **options, stop=lambda: True)
    finally:
        go_on.set()
        slow.join()


def test_four_threads_give_the_maps_of_one(explainer):
    jobs = [
        (herb_photo(HERBS[n % 4], n), HERBS[n % 3], method, layer)
        for n, method in enumerate(QUICK)
        for layer in ("layer2", "layer4")
    ]

    def one(job):
        photo, herb, method, layer = job
        return explainer.explain(photo, herb, method=method, layer=layer).values

    alone = [one(job) for job in jobs]
    found: dict[int, list[np.ndarray]] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: [one(job) for job in jobs]}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for maps in found.values():
        assert all(same(a, b) for a, b in zip(alone, maps, strict=True))
    assert len(found) == 4


def test_one_explainer_serves_the_active_model_and_goes_with_it(toy, monkeypatch):
    active = Recogniser(toy)
    monkeypatch.setattr(explain, "current", lambda: active)
    first = explain.explainer()
    assert explain.explainer() is first
    asked, features = [], active.engine.features
    monkeypatch.setattr(
        active.engine, "features", lambda batch: asked.append(len(batch)) or features(batch)
    )
    first.probabilities(torch.zeros(3, 3, 64, 64), HERB)
    assert asked == [3]  # by what answers photos, which may be faster than torch
    active, gone = Recogniser(replace(toy, id="another")), weakref.ref(first)
    assert explain.explainer().checkpoint.id == "another"
    del first
    assert gone() is None
