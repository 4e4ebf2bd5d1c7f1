"""dataset.py: which photo shows which herb, and a split that no near-copy crosses."""

import hashlib

import imagehash
import numpy as np
import pytest
import torch
import toys
from PIL import Image
from toys import HERBS, fill, herb_picture, refusal

from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import (
    HASH_DISTANCE,
    PhotoDataset,
    Sample,
    copy_groups,
    fingerprint,
    near_pairs,
    photos_below,
    scan,
    split,
    train_and_val,
)
from herbdemo.photo import open_photo

# Folders and files


@pytest.mark.parametrize(
    ("folder", "herb"),
    [
        ("金银花", "金银花"),
        ("金銀花", "金银花"),
        ("jīn yín huā", "金银花"),
        ("jinyinhua", "金银花"),
        ("Lonicerae Japonicae Flos", "金银花"),
        ("党参", "党参"),
        ("黨參", "党参"),
        ("dangshen", "党参"),
        ("CODONOPSIS RADIX", "党参"),
        ("Codonopsis_Radix", "党参"),
        ("我家后院的草", "我家后院的草"),
        ("unobtainium", "unobtainium"),
    ],
)
def test_a_folder_may_bear_any_name_of_its_herb(tmp_path, folder, herb):
    fill(tmp_path, HERBS[0], range(1), name=folder)
    assert [sample.herb for sample in scan(tmp_path)] == [herb]


def test_two_names_of_one_herb_are_one_herb(tmp_path):
    fill(tmp_path, "党参", range(2))
    fill(tmp_path, "党参", range(2, 5), name="黨參")
    samples = scan(tmp_path)
    assert {sample.herb for sample in samples} == {"党参"}
    assert len(samples) == 5


def test_photos_may_lie_deeper(tmp_path):
    fill(tmp_path, "党参", range(2), name="dangshen/2024/market")
    assert len(scan(tmp_path)) == 2


@pytest.mark.parametrize(
    "litter",
    [
        *("党参/._1.jpg", "党参/.hidden.jpg", "党参/Thumbs.db", "党参/.DS_Store", "党参/notes.txt"),
        *("党参/desktop.ini", "党参/.thumbnails/1.jpg", "党参/@eaDir/1.jpg", "党参/1.jpg.part"),
        *("__MACOSX/党参/._1.jpg", "__MACOSX/1.jpg", ".ipynb_checkpoints/1.png", "1.jpg"),
        *("党参/model.safetensors", "党参/1", "README.md"),
    ],
)
def test_litter_is_passed_over(tmp_path, litter):
    fill(tmp_path, "党参", range(1))
    file = tmp_path / litter
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(toys.encoded(herb_picture("党参", 9), "JPEG"))
    assert [sample.path.name for sample in scan(tmp_path)] == ["000.png"]


def test_a_folder_named_like_a_photo_is_no_photo(tmp_path):
    fill(tmp_path, "党参", range(1), name="党参/album.jpg")
    assert [path.name for path in photos_below(tmp_path)] == ["000.png"]


@pytest.mark.parametrize("suffix", "jpg JPG jpeg png webp avif gif bmp tif tiff heic".split())
def test_every_format_of_photo_is_found(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    assert photos_below(tmp_path) == [tmp_path / f"a.{suffix}"]


def test_a_hidden_folder_above_does_not_matter(tmp_path):
    fill(tmp_path / ".herbdemo" / "library", "党参", range(2))
    assert len(scan(tmp_path / ".herbdemo" / "library")) == 2


def test_the_order_is_stable(tmp_path):
    for herb in HERBS[:3]:
        fill(tmp_path, herb, range(3))
    assert scan(tmp_path) == scan(str(tmp_path))
    assert photos_below(tmp_path) == sorted(photos_below(tmp_path))


@pytest.mark.parametrize("name", ["", "党参"])
def test_a_folder_that_may_not_be_read_gets_a_sentence(tmp_path, locked, name):
    fill(tmp_path / "herbs", "党参", range(1))
    fill(tmp_path / "herbs", "当归", range(1))
    assert refusal(scan, locked(tmp_path / "herbs", name)).hint == "unreadable"


def test_a_missing_or_empty_folder_gets_a_sentence(tmp_path):
    error = refusal(scan, tmp_path / "nowhere")
    assert error.hint == "folder-missing"
    assert refusal(scan, tmp_path / ("参" * 300)).hint == "folder-missing"
    (tmp_path / "file").write_text("")
    assert refusal(scan, tmp_path / "file").hint == "folder-missing"
    assert refusal(scan, tmp_path).hint == "folder-empty"
    (tmp_path / "党参").mkdir()
    error = refusal(scan, tmp_path)
    assert error.hint == "folder-empty"
    assert "one sub-folder per herb" in error.en


# Splitting


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Two herbs of twelve photos, each with three copies as the web makes them."""
    folder = tmp_path_factory.mktemp("copied")
    for herb in HERBS[:2]:
        (folder / herb).mkdir()
        for seed in range(12):
            image = herb_picture(herb, seed, size=(192, 160))
            image.save(folder / herb / f"{seed:02d}-original.png")
            for number, data in enumerate(toys.copies(image)):
                (folder / herb / f"{seed:02d}-copy{number}.jpg").write_bytes(data)
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_no_copy_of_a_photo_crosses_the_split(copied, seed):
    train, val = split(scan(copied), seed=seed, val_share=0.25)

    def originals(samples: list[Sample]) -> set:
        return {(sample.herb, sample.path.name[:2]) for sample in samples}

    assert len(train) + len(val) == len(scan(copied)) == 2 * 12 * 4
    assert not originals(train) & originals(val)
    for herb in HERBS[:2]:
        assert sum(sample.herb == herb for sample in val) == 12


def test_the_copies_are_not_byte_for_byte(copied):
    files = sorted((copied / HERBS[0]).glob("00-*"))
    assert len({open_photo(file).sha256 for file in files}) == 4


def test_photos_of_different_things_are_not_taken_for_copies(copied):
    train, val = split(scan(copied), val_share=0.5)
    assert len(val) > 0.4 * len(train)


def test_a_chain_of_copies_stays_together(tmp_path):
    """Each photo is a copy of its neighbours, the first and the last are no copies at all."""
    steps = 24
    ends = [herb_picture("党参", seed, size=(192, 160)) for seed in (1, 2)]
    (tmp_path / "党参").mkdir()
    for step in range(steps):  # written out of order, so that links are found late
        image = Image.blend(*ends, step / (steps - 1))
        image.save(tmp_path / "党参" / f"{step * 7 % steps:02d}.png")
    for seed in range(3, 40):
        herb_picture("党参", seed, size=(192, 160)).save(tmp_path / "党参" / f"z{seed}.png")
    for seed in range(3):
        train, val = split(scan(tmp_path), val_share=0.45, seed=seed)
        prints = [
            np.array([fingerprint(open_photo(sample.path, longest=256).image) for sample in side])
            for side in (train, val)
        ]
        assert len(val) > 10
        assert not any(len(i) for i, _ in near_pairs(*prints))


def test_the_seed_decides_the_split_and_nothing_else_does(copied):
    samples = scan(copied)
    assert split(samples, seed=1) == split(samples, seed=1)
    assert split(samples, seed=1) != split(samples, seed=2)


def test_photos_that_are_added_move_few_others(tmp_path):
    fill(tmp_path, "党参", range(40))
    before = set(split(scan(tmp_path), val_share=0.25)[1])
    fill(tmp_path, "党参", range(40, 44))
    after = set(split(scan(tmp_path), val_share=0.25)[1])
    assert len(before) == 10
    assert len(before - after) <= 4
    assert len(after - before) <= 5


def test_photos_that_a_model_has_learned_stay_in_train_with_their_copies(copied):
    _, val = split(scan(copied), val_share=0.25)
    learned = hashlib.sha256(val[0].path.read_bytes()).hexdigest()
    train, others = split(scan(copied), val_share=0.25, learned={learned})
    original = (val[0].herb, val[0].path.name[:2])
    assert sum((s.herb, s.path.name[:2]) == original for s in train) == 4
    assert len(others) == len(val)


@pytest.mark.parametrize("photos", [1, 2, 3, 5, 8])
def test_every_herb_keeps_photos_to_learn_from(tmp_path, photos):
    fill(tmp_path, "党参", range(photos))
    fill(tmp_path, "菊花", range(20))
    for share in (0.15, 0.5, 0.95):
        train, val = split(scan(tmp_path), val_share=share)
        assert {sample.herb for sample in train} == {"党参", "菊花"}
        assert not set(train) & set(val)
        assert sum(sample.herb == "菊花" for sample in val) == round(20 * min(share, 0.95))


def test_photos_that_do_not_open_are_left_out_of_the_split(tmp_path):
    fill(tmp_path, "党参", range(10))
    (tmp_path / "党参" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    train, val = split(scan(tmp_path))
    assert len(train) + len(val) == 10


def test_folders_named_train_and_val_are_taken_as_they_are(tmp_path):
    fill(tmp_path / "train", "党参", range(3))
    fill(tmp_path / "val", "党参", range(3, 5), name="dangshen")
    train, val = train_and_val(tmp_path)
    assert [sample.path.parent.parent.name for sample in train] == ["train"] * 3
    assert [sample.herb for sample in val] == ["党参"] * 2


def test_otherwise_the_folder_is_split(copied):
    assert train_and_val(copied, seed=3) == split(scan(copied), seed=3)


def test_a_herb_in_val_alone_gets_a_sentence(tmp_path):
    fill(tmp_path / "train", "党参", range(1))
    fill(tmp_path / "val", "党参", range(1))
    fill(tmp_path / "val", "菊花", range(1))
    error = refusal(train_and_val, tmp_path)
    assert error.hint == "val-other-herbs"
    assert "菊花" in error.en


# Near-copies


def test_a_fingerprint_is_the_perceptual_hash(tmp_path):
    for seed in range(20):
        image = herb_picture("党参", seed, size=(400, 300))
        mine, theirs = fingerprint(image), int(str(imagehash.phash(image)), 16)
        assert -(2**63) <= mine < 2**63  # fits an int64 tensor
        assert ((mine ^ theirs) & (2**64 - 1)).bit_count() <= HASH_DISTANCE


def pairs(*arguments: np.ndarray) -> set[tuple[int, int]]:
    return {
        (int(i), int(j)) for block in near_pairs(*arguments) for i, j in zip(*block, strict=True)
    }


@pytest.mark.parametrize("photos", [0, 1, 2, 700])
def test_near_pairs_are_all_pairs_that_are_near(photos):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**20, photos) - 2**19  # few of the 64 bits vary, so that some are near
    others = rng.integers(0, 2**20, 90) - 2**19

    def near(a: int, b: int) -> bool:
        return (int(a ^ b) & (2**64 - 1)).bit_count() <= HASH_DISTANCE

    within = {(i, j) for i in range(photos) for j in range(i + 1, photos) if near(bits[i], bits[j])}
    across = {(i, j) for i in range(photos) for j in range(90) if near(bits[i], others[j])}
    assert pairs(bits) == within
    assert pairs(bits, others) == across


def test_the_sign_is_a_bit_like_the_others():
    assert pairs(np.array([-1, 2**63 - 1])) == {(0, 1)}
    assert pairs(np.array([-1, 0])) == set()


def test_a_copy_of_a_copy_is_in_the_group():
    chain = [(1 << (HASH_DISTANCE * step)) - 1 for step in range(5)]
    groups = copy_groups(np.array([*chain, -1, chain[0], -2]))
    assert len(set(groups[[0, 1, 2, 3, 4, 6]])) == 1
    assert groups[5] == groups[7] != groups[0]


# As torch wants them


def test_the_dataset_gives_tensors_and_positions(tmp_path):
    for herb in HERBS[:3]:
        fill(tmp_path, herb, range(2))
    samples = scan(tmp_path)
    prepare = Preprocessing(size=32).tensor
    data = PhotoDataset(samples, HERBS[:2], prepare)
    assert len(data) == 6
    for position, sample in enumerate(samples):
        x, y = data[position]
        assert torch.equal(x, prepare(open_photo(sample.path).image))
        assert y == (HERBS.index(sample.herb) if sample.herb in HERBS[:2] else -1)
    with pytest.raises(IndexError):
        data[6]
    assert len(list(data)) == 6


def test_a_broken_photo_does_not_end_a_training(tmp_path):
    fill(tmp_path, "党参", range(3))
    samples = scan(tmp_path)
    samples[1].path.write_bytes(b"")
    data = PhotoDataset(samples, ["党参"], Preprocessing(size=32).tensor)
    assert torch.equal(data[1][0], data[2][0])
    samples[2].path.unlink()
    assert torch.equal(data[1][0], data[0][0])
    samples[0].path.unlink()
    assert refusal(data.__getitem__, 1).hint.startswith("photo-")
