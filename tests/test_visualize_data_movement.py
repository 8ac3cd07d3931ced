"""Pictures of the data movement: from results.json, a missing step is measured first."""

import json
import shutil

import imageio.v3 as iio
import pytest
from conftest import run_script
from test_pictures import colours

PICTURES = ("data_movement.png", "data_movement_depths.png")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, results):
    """A folder with all records but one, and the run of the visualizer there."""
    folder = tmp_path_factory.mktemp("drawn")
    records = results["data_movement"]
    [missing] = [r for r in records if r["settings"]["model"] == "scan" and r["settings"]["T"] == 25]
    kept = {"schema": 1, "data_movement": [record for record in records if record is not missing]}
    (folder / "results.json").write_text(json.dumps(kept))
    return folder, missing, run_script("visualize_data_movement.py", cwd=folder)


def test_a_missing_step_is_measured_and_said(drawn):
    folder, missing, run = drawn
    assert run.returncode == 0 and run.stdout.count("running reproduce.py data-movement") == 1
    records = json.loads((folder / "results.json").read_text())["data_movement"]
    [again] = [record for record in records if record["settings"] == missing["settings"]]
    assert again["final"] == missing["final"]  # the committed figures come out again
    for name in PICTURES:
        picture = iio.imread(folder / "viz" / name)
        assert picture.shape[0] > 300 and colours(picture) > 20


def test_a_second_time_nothing_is_run_and_the_pictures_are_the_same_bytes(drawn):
    folder, _, _ = drawn
    before = {name: (folder / "viz" / name).read_bytes() for name in PICTURES}
    results = (folder / "results.json").read_bytes()
    shutil.rmtree(folder / "viz")
    again = run_script("visualize_data_movement.py", cwd=folder)
    assert again.returncode == 0 and "running" not in again.stdout
    assert (folder / "results.json").read_bytes() == results
    assert before == {name: (folder / "viz" / name).read_bytes() for name in PICTURES}
