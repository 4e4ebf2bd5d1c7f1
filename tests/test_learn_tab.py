"""What the Learn and Models tabs show: reports, the library, a job, a proof, as HTML."""

import dataclasses
import re

import pytest
from PIL import Image

from herbdemo.ui.curves import Curve, Share, chart, confusion, whiskers
from herbdemo.ui.models_view import Row, accuracy, models_html
from herbdemo.ui.progress import job_html, progress
from herbdemo.ui.proof_view import plain_html, proof_html
from herbdemo.ui.report import checking_html, folders_html, report_html
from herbdemo.ui.shelf import shelf_html
from herbdemo.ui.start_view import start_html
from herbdemo.ui.text import Text
from tests.test_ui import spoken

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "洋葱" / "a.jpg"
    path.parent.mkdir()
    Image.new("RGB", (64, 48), "olive").save(path)
    return path


# The report


def report(*findings, ok=True):
    return {
        "ok": ok,
        "photos": 16,
        "herbs": {"洋葱": 8, "党参": 8},
        "new_herbs": ["洋葱"],
        "findings": list(findings),
        "seconds": 0.1,
    }


def finding(level="warning", **parts):
    words = {"kind": "near-copy", "herb": "洋葱", "zh": "几乎一样。", "en": "Nearly the same."}
    return words | {"level": level, "files": ["洋葱/a.jpg"], "count": 1} | parts


def test_a_report_counts_herbs_and_marks_the_new_ones(photo):
    page = report_html(report(), batch="b1", folder=photo.parent.parent)
    said = spoken(page, "en")
    assert "16 photos of 2 herbs" in said
    assert re.search(r"洋葱\s+8\s+new", said)
    assert "Nothing to object to." in said
    assert 'data-act="accept" data-batch="b1"' in page


def test_a_warning_shows_its_photos_and_asks(photo):
    page = report_html(report(finding()), batch="b1", folder=photo.parent.parent)
    assert page.count('<img src="data:image/jpeg') == 1
    assert "Nearly the same." in spoken(page, "en")
    assert "几乎一样" in spoken(page, "zh")
    assert "Seen; put into the library" in spoken(page, "en")


def test_an_error_stops(photo):
    page = report_html(report(finding("error"), ok=False), batch="b", folder=photo.parent.parent)
    assert 'data-act="accept"' not in page
    assert 'data-act="discard"' in page


def test_errors_come_first(photo):
    found = [finding("note"), finding("warning"), finding("error")]
    page = report_html(report(*found, ok=False), batch="b", folder=photo.parent.parent)
    levels = re.findall('class="finding ([a-z]*)"', page)
    assert levels == ["error", "warning", "note"]


def test_a_finding_shows_only_photos_of_its_batch(photo, tmp_path):
    outside = tmp_path / "secret.jpg"
    Image.new("RGB", (64, 48)).save(outside)
    for file in ("../secret.jpg", str(outside), "洋葱/gone.jpg"):
        page = report_html(report(finding(files=[file])), batch="b", folder=photo.parent)
        assert "<img" not in page


def test_many_photos_of_a_finding_are_counted(photo):
    found = finding(files=["洋葱/a.jpg"] * 50, count=120)
    page = report_html(report(found), batch="b", folder=photo.parent.parent)
    assert page.count("<img") == 10
    assert "110 more" in page


def test_names_in_a_report_are_escaped(photo):
    found = finding(zh=EVIL, en=EVIL, files=[EVIL])
    hostile = report(found) | {"herbs": {EVIL: 1}, "new_herbs": [EVIL]}
    assert "<img src=x" not in report_html(hostile, batch='"><b>', folder=photo.parent)
    assert "<img src=x" not in folders_html([EVIL])


def test_a_check_says_how_far_it_is():
    assert "3 / 8" in checking_html(3, 8)
    assert "unknown" in checking_html(0, 0)


# The library


@dataclasses.dataclass
class Entry:
    sha256: str
    path: object


def test_the_library_marks_what_the_model_does_not_know(photo):
    page = shelf_html({"洋葱": 3, "党参": 1}, {"洋葱": photo}, ("党参",))
    assert "4 photos, 2 herbs" in spoken(page, "en")
    assert page.count("<em>") == 1
    assert "drawer" not in page


def test_an_open_herb_shows_its_photos_with_a_way_to_remove_each(photo):
    page = shelf_html({"洋葱": 1}, {}, (), opened="洋葱", photos=[Entry("ab12", photo)])
    assert 'data-act="remove-photo" data-herb="洋葱" data-sha256="ab12"' in page
    assert 'data-act="remove-herb"' in page
    assert shelf_html({"洋葱": 1}, {}, (), opened="gone") == shelf_html({"洋葱": 1}, {}, ())


def test_an_empty_library_says_so():
    assert "Still empty" in spoken(shelf_html({}, {}, ()), "en")


def test_names_in_the_library_are_escaped(photo):
    page = shelf_html({EVIL: 1}, {}, (), opened=EVIL, photos=[Entry(EVIL, photo)])
    assert "<img src=x" not in page


# Starting


def test_learning_starts_with_a_name_and_a_way():
    page = start_html(photos=16, herbs=2, name="herbs-33-1125", running=False)
    assert 'value="herbs-33-1125"' in page
    assert re.findall('name="mode" value="([a-z]*)"( checked)?', page) == [
        ("seconds", " checked"),
        ("properly", ""),
    ]
    assert start_html(photos=16, herbs=2, name="x", running=True) == ""
    assert "<form" not in start_html(photos=0, herbs=0, name="x", running=False)


# The job


@dataclasses.dataclass
class Job:
    id: str = "herbs-33"
    kind: str = "train"
    who: str = "someone"
    started: float = 1000.0
    state: str = "running"
    error: dict | None = None
    stopping: bool = False


STEPS = [
    {"kind": "start"},
    {"kind": "head", "epoch": 0, "val_loss": 1.0, "val_top1": 0.8},
    {"kind": "step", "epoch": 1, "step": 10, "steps": 40, "loss": 1.5, "photos_per_second": 9.5},
    {"kind": "step", "epoch": 1, "step": 20, "steps": 40, "loss": 1.0, "photos_per_second": 9.0},
    {"kind": "epoch", "epoch": 1, "val_loss": 0.5, "val_top1": 0.9},
]


def test_a_running_job_says_how_far_how_fast_and_who():
    events = [*STEPS[:-1], STEPS[3] | {"seconds_left": 600.0}]
    page = job_html(Job(), events, memory=2_300_000_000, now=1600.0)
    said = spoken(page, "en")
    for word in ("herbs-33", "someone", "about 10 min left", "9 photos/s", "2.3 GB", "Epoch 1"):
        assert word in said
    assert 'aria-valuenow="50"' in page
    assert 'data-act="stop"' in page
    assert 'data-state="herbs-33:running"' in page


def test_the_jobs_own_word_on_the_time_left_counts():
    events = [*STEPS, STEPS[3] | {"seconds_left": 7200.0}]
    assert "about 2.0 h left" in spoken(job_html(Job(), events, memory=0, now=1600.0), "en")


def test_curves_are_drawn_as_soon_as_there_are_steps():
    assert "<svg" not in job_html(Job(), STEPS[:2], memory=0, now=1600.0)
    page = job_html(Job(), STEPS, memory=0, now=1600.0)
    assert page.count("<svg") == 2
    assert page.count('class="line"') == 3  # training and validation loss, accuracy


def test_each_phase_is_named_while_it_lasts():
    seen = {"kind": "features", "done": 4, "total": 4}
    for events, phase in (
        ([], "Reading the photos"),
        ([{"kind": "start"}], "Reading the photos"),
        ([{"kind": "start"}, seen | {"done": 1}], "Looking at the photos"),
        ([{"kind": "start"}, seen], "Solving the last layer"),
        ([{"kind": "start"}, seen, STEPS[1]], "Training the network"),
        ([*STEPS], "Training the network"),
        ([*STEPS, {"kind": "finish"}], "Calibrating and checking"),
        ([*STEPS, {"kind": "finish"}, {"kind": "saved"}], "Saved"),
    ):
        assert phase in spoken(job_html(Job(), events, memory=0, now=1600.0), "en")


def test_a_job_is_read_out_at_its_quarters_only():
    keys = [
        re.search(r'data-tell="([^"]*)"', job_html(Job(), [step], memory=0, now=1600.0))[1]
        for step in ({**STEPS[2], "step": n} for n in range(1, 41))
    ]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [9, 10, 10, 10, 1]


@pytest.mark.parametrize("kind", ["extend", "train"])
def test_a_job_that_only_looks_at_photos_has_a_bar(kind):
    events = [{"kind": "start"}, {"kind": "features", "done": 3, "total": 4}]
    assert progress(events).share == 0.75
    assert 'aria-valuenow="75"' in job_html(Job(kind=kind), events, memory=0, now=1600.0)


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "step"},
        {"kind": "step", "step": "x", "steps": 0, "loss": float("nan")},
        {"kind": "step", "step": 1, "steps": 1, "loss": float("inf"), "epoch": None},
        {"kind": "something new"},
        {"kind": "epoch", "val_loss": None, "val_top1": "x"},
    ],
)
def test_an_event_that_says_less_is_no_trouble(event):
    assert "data-state" in job_html(Job(), [*STEPS, event], memory=0, now=1600.0)
    assert "data-state" in job_html(Job(), [event], memory=0, now=1600.0)


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_a_job_that_failed_says_why(state):
    job = Job(state=state, error={"zh": "磁盘满了。", "en": "The disk is full."})
    assert "The disk is full." in spoken(job_html(job, [], memory=0), "en")


@pytest.mark.parametrize("state", ["done", "stopped", "failed", "lost"])
def test_a_job_that_ended_cannot_be_stopped(state):
    page = job_html(Job(state=state, who=EVIL), STEPS, memory=0)
    assert 'data-act="stop"' not in page
    assert f'data-state="herbs-33:{state}"' in page
    assert "<img src=x" not in page


def test_a_job_that_is_stopping_says_so_and_is_not_asked_again():
    page = job_html(Job(stopping=True), STEPS, memory=0, now=1600.0)
    assert "Stopping" in spoken(page, "en")
    assert 'data-act="stop"' not in page


def test_a_job_that_can_go_on_has_a_button_for_it():
    job = Job(state="lost")
    assert 'data-act="go-on"' in job_html(job, STEPS, memory=0, resumable=True)
    assert 'data-act="go-on"' not in job_html(job, STEPS, memory=0)


# Curves


def test_a_curve_stays_inside_its_chart():
    points = [(x, 5.0 - 0.0009 * x) for x in range(5000)]
    page = chart(
        Text("损失", "Loss"), [Curve(Text("训练", "training"), "train", points)], until=5000
    )
    path = re.search('class="line" d="M([^"]*)"', page)[1]
    drawn = [tuple(map(float, point.split())) for point in path.split("L")]
    assert len(drawn) <= 301
    assert all(0 <= x <= 420 and 0 <= y <= 210 for x, y in drawn)
    assert drawn[0][1] < drawn[-1][1]  # down is less
    assert ">5 → 0.501<" in page  # also for who cannot see it


@pytest.mark.parametrize("values", [[0.5], [1.0, 1.0], [0.0], [], [0.97, 1.0], [1e-9, 1e5]])
def test_any_values_have_a_scale(values):
    points = list(enumerate(values))
    page = chart(
        Text("准", "Right"), [Curve(Text("验", "val"), "val", points)], until=1, share=False
    )
    assert "nan" not in page


def test_intervals_stand_on_one_scale():
    rows = [
        (Text("老", "old"), Text("前", "before"), "before", Share(0.96, (0.94, 0.97), 760)),
        (Text("新", "new"), Text("后", "after"), "new", Share(1.0, (0.7, 1.0), 16)),
        (Text("无", "none"), Text("后", "after"), "after", Share(None, None, 0)),
    ]
    page = whiskers(rows)
    assert "96.0%" in page
    assert "of 760" in page
    assert "no photos to measure it with" in page
    places = [float(place) for place in re.findall(r"left:([\d.]+)%", page)]
    assert all(0 <= place <= 100 for place in places)


def test_a_confusion_matrix_has_a_cell_for_each_pair():
    names = {name: Text(name, name) for name in ("党参", "白芍", EVIL)}
    page = confusion([("党参", "党参", 9), ("党参", EVIL, 1), (EVIL, EVIL, 4)], names)
    assert page.count('class="right"') == 2
    assert page.count('class="wrong"') == 1
    assert "<img src=x" not in page


# The proof

PROOF = {
    "before": {"model": "old", "n": 760, "top1": 0.96, "interval": [0.94, 0.97], "ece": 0.0126},
    "after": {"old_top1": 0.957, "old_interval": [0.94, 0.97], "n_old": 760,
              "new_top1": 0.9, "new_interval": [0.6, 0.98], "n_new": 10,
              "ece": 0.0142, "temperature": 0.133},
    "held_out": {"old": "kept", "new": "leave-one-out"},
    "per_herb": {"党参": {"n": 24, "before": 1.0, "after": 0.5},
                 "洋葱": {"n": 10, "before": None, "after": 0.9}},
    "confusion": [["党参", "党参", 12], ["党参", "洋葱", 12], ["洋葱", "洋葱", 9]],
    "mistakes": [{"file": "党参/1.jpg", "herb": "党参", "answer": "洋葱", "probability": 0.97}],
}  # fmt: skip


def test_a_proof_shows_before_and_after_with_intervals():
    page = proof_html("new-model", PROOF, active=False)
    said = spoken(page, "en")
    for word in ("96.0%", "95.7%", "90.0%", "1.3% → 1.4%", "0.13", "lost 0.3 points"):
        assert word in said
    for act in ("use", "keep", "throw"):
        assert f'data-act="{act}" data-model="new-model"' in page


def test_a_proof_names_the_mistakes_and_the_herbs_that_got_worse():
    page = proof_html("new", PROOF, active=False, pictures=[("data:photo", "data:heat")])
    assert 'src="data:photo"' in page
    assert 'src="data:heat"' in page
    assert "codonopsis root taken for onion" in spoken(page, "en")
    assert page.count('class="worse"') == 1
    assert re.search(r"洋葱\s+新", spoken(page, "zh"))


def test_the_model_in_use_is_not_offered_again():
    page = proof_html("new", PROOF, active=True)
    assert "data-act" not in page


def test_a_proof_without_figures_is_shown_all_the_same():
    page = proof_html(
        "new", {"before": {"model": ""}, "after": {"n_old": 0, "n_new": 0}}, active=False
    )
    assert "no photos to measure it with" in page
    assert 'data-act="use"' in page


def test_a_model_that_was_not_compared_shows_its_own_figures():
    metrics = {"val": {"top1": 0.97, "top1_interval": [0.95, 0.98], "photos": 564}}
    page = plain_html("new", metrics, active=False)
    assert "97.0%" in page
    assert "not compared" in page
    assert page.count("data-act") == 3
    assert "data-act" not in plain_html("new", {}, active=True)


def test_names_in_a_proof_are_escaped():
    mistake = {"file": EVIL, "herb": EVIL, "answer": EVIL, "probability": 1.0}
    hostile = PROOF | {
        "mistakes": [mistake],
        "per_herb": {EVIL: {"n": 1, "before": None, "after": 1.0}},
        "held_out": {"old": EVIL, "new": EVIL},
    }
    assert "<img src=x" not in proof_html(EVIL, hostile, active=False)


# Models

CARD = {"herbs": ["党参", "白芍"], "metrics": {"test": {"top1": 0.96}, "val": {"top1": 0.97}}}


def test_models_are_listed_with_the_one_in_use_first():
    rows = [
        Row("shipped", False, True, 58_000_000, CARD),
        Row("mine", True, False, 60_000_000, CARD | {"parent": "shipped", "proof": PROOF}),
    ]
    page = models_html(rows)
    assert re.findall("<h4>([a-z]*)</h4>", page) == ["mine", "shipped"]
    said = spoken(page, "en")
    for word in ("In use", "96.0% right", "from shipped", "comes with the program", "58 MB"):
        assert word in said
    assert page.count('data-act="use"') == 1
    assert 'data-act="delete"' not in page  # neither the shipped one nor the one in use
    assert "<form" not in page
    assert 'data-act="publish"' in models_html(rows, publish="mine")


def test_a_damaged_model_says_so_and_can_be_deleted():
    page = models_html([Row("bad", False, False, 0, {}, Text("坏了。", "Damaged."))])
    assert "Damaged." in page
    assert 'data-act="delete"' in page
    assert 'data-act="use"' not in page


@pytest.mark.parametrize(
    "parts",
    [
        {"proof": "x"},
        {"proof": {"per_herb": [1]}},
        {"proof": {"per_herb": {"党参": 1}}},
        {"proof": {"after": {"n_old": "x", "old_top1": 1}}},
        {"metrics": {"val": {"top1": "x"}}},
        {"metrics": 7},
        {"herbs": [["党参"]]},
        {"herbs": None},
    ],
)
def test_a_card_that_holds_anything_costs_only_its_own_row(parts):
    rows = [Row("good", True, False, 1, CARD), Row("bad", False, False, 1, CARD | parts)]
    page = models_html(rows, publish="bad")
    assert "96.0% right" in spoken(page, "en")
    assert 'data-act="delete" data-model="bad"' in page
    assert "cannot be shown" in spoken(page, "en")


def test_a_model_in_use_is_not_offered_for_deletion_however_bad_its_card():
    assert 'data-act="delete"' not in models_html(
        [Row("bad", True, False, 1, CARD | {"proof": "x"})]
    )


def test_a_visitor_sees_no_models():
    assert "data-act" not in models_html(None)


def test_accuracy_is_that_of_the_proof_else_of_the_test_photos():
    assert accuracy(CARD) == 0.96
    assert accuracy(CARD | {"proof": PROOF}) == pytest.approx((0.957 * 760 + 0.9 * 10) / 770)
    assert accuracy({"herbs": []}) is None
    assert accuracy({"metrics": {"val": {"top1": 0.5}}}) == 0.5
