"""visualize_lstm_1997.py: every picture is drawn from results.json, and what is unusable is refused."""

import pytest
from conftest import ROOT, assert_bad_input, run_script


def test_the_pictures_are_drawn_from_results_json(tmp_path):
    if not (ROOT / "results.json").exists():
        pytest.skip("no results.json")
    done = run_script("visualize_lstm_1997.py", "--results", ROOT / "results.json", "--outdir", tmp_path, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "no record yet" not in done.stdout
    names = ("complexity", "error_flow", "cec", "paper_vs_ours", "scaling_2c", "first_weights")
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png" for name in names}


def test_the_pictures_refuse_an_unusable_place_or_file(tmp_path):
    (tmp_path / "file").write_text("{")
    assert_bad_input(run_script("visualize_lstm_1997.py", "--outdir", "file", cwd=tmp_path), "file")
    assert_bad_input(run_script("visualize_lstm_1997.py", "--results", "file", cwd=tmp_path), "not valid JSON")
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "file.lock", "results.json.lock"}
