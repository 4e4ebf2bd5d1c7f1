"""Heatmaps: the closed form against its oracles, and the pictures made of it."""

import threading

import numpy as np
import pytest
from PIL import Image

from herbdemo import heatmap
from herbdemo.colormaps import COLORMAPS


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    """A feature map (12, 5, 7), never negative as after a relu, and a head of six herbs."""
    rng = np.random.default_rng(7)
    return rng.random((12, 5, 7), dtype=np.float32), rng.normal(size=(6, 12)).astype(np.float32)


def test_class_maps_are_weighted_sums_of_channels(features):
    A, W = features
    maps = heatmap.class_maps(A, W)
    assert maps.shape == (6, 5, 7)
    assert maps.dtype == np.float32
    for k in range(6):
        slow = sum(W[k, c] * A[c] for c in range(12))
        np.testing.assert_allclose(maps[k], slow, atol=1e-5)


def test_half_precision_features_are_summed_in_single_precision(features):
    A, W = features
    maps = heatmap.class_maps(A.astype(np.float16), W)
    np.testing.assert_allclose(maps, heatmap.class_maps(A, W), atol=2e-2)
    assert maps.dtype == np.float32


def test_the_mean_of_a_map_is_the_score_without_bias(features):
    A, W = features
    np.testing.assert_allclose(
        heatmap.class_maps(A, W).mean(axis=(1, 2)), W @ A.mean(axis=(1, 2)), atol=1e-5
    )


def test_normalised_maps_reach_from_zero_to_one(features):
    raw = heatmap.class_maps(*features)
    maps = heatmap.normalised(raw)
    positive = raw.max(axis=(1, 2)) > 0
    assert 0 < positive.sum() < len(raw)
    assert maps.min() == 0
    np.testing.assert_allclose(maps.max(axis=(1, 2)), positive, atol=1e-5)


def test_without_positive_evidence_the_map_is_all_zero():
    raw = -np.ones((2, 3, 3), np.float32)
    raw[1, 1, 1] = 2
    maps = heatmap.normalised(raw)
    assert not maps[0].any()
    assert maps[1, 1, 1] == pytest.approx(1)


def test_contrast_is_signed_scaled_and_antisymmetric(features):
    A, W = features
    forth, back = heatmap.contrast(A, W[0], W[1]), heatmap.contrast(A, W[1], W[0])
    assert np.abs(forth).max() == pytest.approx(1)
    np.testing.assert_allclose(forth, -back)
    raw = heatmap.class_maps(A, W)
    assert (np.sign(forth) == np.sign(raw[0] - raw[1])).all()


def test_contrast_of_a_herb_with_itself_is_nothing(features):
    A, W = features
    assert not heatmap.contrast(A, W[0], W[0]).any()


@pytest.mark.parametrize("size", [(224, 224), (7, 5), (100, 31), (1, 1), (640, 480)])
def test_resizing_agrees_with_opencv(features, size):
    cv2 = pytest.importorskip("cv2")
    values = heatmap.class_maps(*features)[0]
    expected = cv2.resize(values, size)
    ours = heatmap.resized(values, size)
    assert ours.shape == size[::-1]
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_smooth_resizing_goes_through_the_cells_and_bends_no_constant(features):
    values = heatmap.normalised(heatmap.class_maps(*features)[0])
    same = heatmap.resized(values, (7, 5), smooth=True)
    np.testing.assert_allclose(same, values, atol=1e-5)
    flat = heatmap.resized(np.full((4, 4), 0.3), (50, 60), smooth=True)
    np.testing.assert_allclose(flat, 0.3, atol=1e-6)


# The oracle


def toy_network(seed: int):
    """Two convolutions, a global average and one linear layer of five herbs."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    ).eval()


def oracle(network, layer, photo, herbs: range | list[int]) -> np.ndarray:
    """The maps of pytorch-grad-cam for one photo (3, H, W): (herbs, H, W) in 0..1."""
    cam = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    batch = photo[None].repeat(len(herbs), 1, 1, 1)
    with cam.GradCAM(network, [layer]) as grad_cam:
        return grad_cam(batch, [targets.ClassifierOutputTarget(herb) for herb in herbs])


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_grad_cam_on_a_toy_network(seed):
    import torch

    network = toy_network(seed)
    photo = torch.rand(3, 96, 96)
    with torch.inference_mode():
        A = network[:4](photo[None])[0].numpy()
    raw = heatmap.class_maps(A, network[-1].weight.detach().numpy())
    for herb, theirs in enumerate(oracle(network, network[3], photo, range(5))):
        if raw[herb].max() > 1e-3:  # below, the 1e-7 in both divisions is no longer small
            np.testing.assert_allclose(heatmap.grad_cam(raw[herb], (96, 96)), theirs, atol=1e-4)
        else:
            assert not theirs.any()


@pytest.fixture(scope="module")
def photos():
    """The example photos."""
    from pathlib import Path

    from herbdemo.photo import open_photo

    folder = Path(__file__).parent.parent / "examples"
    return [open_photo(path) for path in sorted(folder.glob("*.jpg"))]


def test_agrees_with_grad_cam_on_the_real_model(recogniser, photos):
    import copy

    checkpoint = recogniser.checkpoint
    network = copy.deepcopy(checkpoint.network).cpu().eval().requires_grad_(True)
    size = checkpoint.preprocessing.size
    (answer,) = recogniser.recognise([photos[-1]])
    herbs = [checkpoint.herbs.index(item.herb.zh) for item in answer.candidates]
    raw = heatmap.class_maps(answer.features, network.fc.weight.detach().numpy()[herbs])
    tensor = checkpoint.preprocessing.tensor(answer.photo.image)
    for ours, theirs in zip(raw, oracle(network, network.cam_layer(), tensor, herbs), strict=True):
        np.testing.assert_allclose(heatmap.grad_cam(ours, (size, size)), theirs, atol=1e-4)


def test_two_threads_and_fifty_photos_give_the_maps_of_one_thread(recogniser, photos):
    fifty = (photos * 50)[:50]

    def maps(some) -> list[np.ndarray]:
        return [
            np.stack([answer.heatmap(item.herb.zh) for item in answer.candidates])
            for photo in some
            for answer in recogniser.recognise([photo])
        ]

    alone = {photo.sha256: found for photo, found in zip(photos, maps(photos), strict=True)}
    found: dict[int, list[np.ndarray]] = {}
    halves = fifty[::2], fifty[1::2]
    threads = [
        threading.Thread(target=lambda n=n, half=half: found.update({n: maps(half)}))
        for n, half in enumerate(halves)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, half in enumerate(halves):
        for photo, theirs in zip(half, found[n], strict=True):
            np.testing.assert_array_equal(theirs, alone[photo.sha256])


# Contours


def test_a_contour_runs_around_what_is_above_its_level():
    y, x = np.mgrid[:41, :41] / 40 - 0.5
    hill = 1 - 2 * np.hypot(x, y)
    (line,) = heatmap.contours(hill, [0.5], cells=41)
    radius = np.hypot(*(line - 0.5).reshape(-1, 2).T) * 41 / 40
    np.testing.assert_allclose(radius, 0.25, atol=0.01)
    _, count = np.unique(line.reshape(-1, 2).round(4), axis=0, return_counts=True)
    assert (count % 2 == 0).all()  # closed: what ends one segment begins another
    length = np.hypot(*(line[:, 0] - line[:, 1]).T).sum()
    assert length == pytest.approx(2 * np.pi * 0.25, rel=0.05)


def test_two_peaks_are_outlined_apart_and_nothing_is_outlined_where_there_is_nothing():
    peaks = np.zeros((7, 7))
    peaks[1, 1] = peaks[5, 5] = 1
    high, low = heatmap.contours(peaks, [0.8, 0.3])
    assert 0 < len(high) < len(low)
    for near in ((1.5 / 7, 1.5 / 7), (5.5 / 7, 5.5 / 7)):
        assert (np.hypot(*(high[:, 0] - near).T) < 0.1).any()
    assert [len(line) for line in heatmap.contours(np.zeros((7, 7)), [0.25, 0.5])] == [0, 0]


@pytest.mark.parametrize("corners", [((1, 0), (0, 1)), ((0, 1), (1, 0))])
def test_a_saddle_is_cut_into_two_lines(corners):
    (line,) = heatmap.contours(np.array(corners, float), [0.6], cells=9)
    assert line.shape[1:] == (2, 2)
    assert line.min() >= 0
    assert line.max() <= 1
    assert len(line) > 6


# Colours


@pytest.mark.parametrize("name", ["ember", "dusk", "grey"])
def test_a_colour_map_only_gets_lighter(name):
    linear = (COLORMAPS[name] / 255) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -2e-3).all()
    assert luminance[-1] - luminance[0] > 0.7


def test_the_contrast_colours_differ_for_every_kind_of_colour_vision():
    blue, orange = COLORMAPS["contrast"][0].astype(int), COLORMAPS["contrast"][-1].astype(int)
    assert blue[2] - orange[2] > 100  # red-green blindness keeps the blue channel
    assert orange[0] - blue[0] > 100  # blue-yellow blindness keeps red and green


# Linear RGB as it is seen without the red or the green cones (Viénot, Brettel and Mollon 1999).
BLIND = {
    "protanopia": [[0.1124, 0.8876, 0], [0.1124, 0.8876, 0], [0.0040, -0.0040, 1]],
    "deuteranopia": [[0.2928, 0.7072, 0], [0.2928, 0.7072, 0], [-0.0223, 0.0223, 1]],
}


@pytest.mark.parametrize("kind", BLIND)
def test_one_colour_map_keeps_its_steps_for_colour_blind_readers(kind):
    linear = (COLORMAPS["dusk"] / 255) ** 2.2
    luminance = (linear @ np.transpose(BLIND[kind])) @ [0.2126, 0.7152, 0.0722]
    lightness = np.cbrt(np.clip(luminance, 0, 1))
    steps = np.diff(lightness[::16])
    assert steps.min() > 0.015  # no flat stretch
    assert steps.max() < 4 * steps.min()  # and no jump that would look like an edge
    seen = (linear @ np.transpose(BLIND[kind]))[[0, -1]]
    assert seen[0, 2] > seen[0, 0]  # blue at one end
    assert seen[1, 0] > seen[1, 2]  # yellow at the other, for these eyes, too


def test_tables_have_256_entries():
    for table in COLORMAPS.values():
        assert table.shape == (256, 3)
        assert table.dtype == np.uint8


# Pictures


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((400, 300), 1024, (400, 300)),
        ((1600, 1200), 1024, (1024, 768)),
        ((900, 1600), 800, (450, 800)),
        ((3000, 3), 1024, (1024, 1)),
    ],
)
def test_an_overlay_keeps_the_proportions_of_the_photo(size, longest, expected):
    drawn = heatmap.overlay(Image.new("RGB", size), np.eye(7), longest=longest)
    assert drawn.size == expected
    assert drawn.mode == "RGB"


def test_opacity_zero_is_the_photo_alone(photo):
    drawn = heatmap.overlay(photo, np.ones((7, 7)), opacity=0)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(photo))


def test_no_evidence_leaves_the_photo_alone(photo):
    drawn = heatmap.overlay(photo, np.zeros((7, 7)), opacity=1)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(photo))
    drawn = heatmap.overlay(photo, np.zeros((7, 7)), opacity=1, colormap="contrast")
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(photo))


def test_full_opacity_of_full_evidence_is_the_last_colour(photo):
    drawn = np.asarray(heatmap.overlay(photo, np.ones((7, 7)), opacity=1))
    assert (drawn == COLORMAPS["ember"][-1]).all()


def test_evidence_lies_where_the_map_has_it():
    values = np.zeros((7, 7))
    values[0, 6] = 1  # top right
    alpha = np.asarray(heatmap.layer(values, (140, 70)))[..., 3]
    assert alpha[2, 137] > 200
    assert not alpha[20:].any()
    assert not alpha[:, :110].any()


def test_the_photo_given_is_not_drawn_on(photo):
    before = photo.tobytes()
    heatmap.overlay(photo, np.ones((7, 7)), opacity=1)
    assert photo.tobytes() == before


@pytest.mark.parametrize("opacity", [-0.1, 1.1, float("nan")])
def test_an_opacity_out_of_range_is_refused(photo, opacity):
    with pytest.raises(ValueError, match="between 0 and 1"):
        heatmap.overlay(photo, np.ones((7, 7)), opacity=opacity)
