"""What the old and the new model say of photos that were not learned from."""

from toys import HERBS, fill

from herbdemo.dataset import scan
from herbdemo.held_out import judged


def test_a_model_says_nothing_of_herbs_that_it_does_not_know(toy_model, tmp_path):
    fill(tmp_path, HERBS[0], range(2), name="洋葱")
    told = judged(toy_model, scan(tmp_path))
    assert told.probabilities.shape[0] == 0
    assert list(told.truth) == []
    assert judged(toy_model, []).probabilities.shape == (0, len(HERBS))


def test_a_model_is_asked_about_its_own_herbs(toy_model, tmp_path):
    fill(tmp_path, HERBS[0], range(20, 23))
    fill(tmp_path, HERBS[1], range(2), name="洋葱")
    told = judged(toy_model, scan(tmp_path))
    assert told.truth == [HERBS[0]] * 3
    assert told.right.all()
    assert told.files[0] == f"{HERBS[0]}/020.png"
