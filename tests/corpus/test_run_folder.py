import json
import shlex

import pytest

from flipsketch.corpus.kinds import ANIMATE, RASTERIZE
from flipsketch.corpus.plan import Plan, read_plan, renew_copy, write_plan
from flipsketch.corpus.repair import repair_plan
from flipsketch.corpus.run_folder import begin_run, read_run
from flipsketch.corpus.verify import verify_copy
from flipsketch.storage.folder import open_folder
from tests.helpers.animations import write_training_shards

ROWS = {"num_rows": 10, "manifest_fingerprint": "m", "rows_per_shard": 4}
PLAN = Plan({**ROWS, "batch_size": 4, "dtype": "float32"}, ("dtype",), {"command": "x"})


def test_a_plan_is_written_first_and_read_back(tmp_path):
    folder = open_folder(str(tmp_path / "run"))
    assert begin_run(folder, PLAN) == PLAN
    assert read_plan(folder) == PLAN
    assert json.loads((tmp_path / "run" / "run.json").read_text())["fingerprint"]


def test_the_same_settings_go_on_whatever_else_differs(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    assert begin_run(folder, Plan(PLAN.settings, (), {"command": "y"})) == PLAN


def test_a_plan_from_before_a_setting_is_said_to_be_what_it_means(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    with pytest.raises(ValueError, match="paper: 'as-is' there, 'refuse' now"):
        begin_run(folder, Plan(PLAN.settings | {"paper": "refuse"}))


def test_other_settings_are_refused_with_the_fields_and_the_ways_out(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    with pytest.raises(ValueError) as error:
        begin_run(folder, Plan({**ROWS, "batch_size": 8, "dtype": "float32", "new": 1}))
    message = str(error.value)
    assert "batch_size: 4 there, 8 now" in message and "new: None there, 1 now" in message
    assert "dtype" not in message
    assert "--overwrite" in message and "--output" in message and "--extend" not in message


def test_a_setting_that_was_chosen_may_be_left_out(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    with pytest.raises(ValueError, match="leave out dtype, which was chosen for you"):
        begin_run(folder, Plan({**PLAN.settings, "dtype": "float16"}))
    assert read_plan(folder) == PLAN


def test_overwriting_deletes_the_runs_files_and_nothing_else(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    for name in ("metadata/00000.parquet", "clips/00000.tar", "README.md"):
        folder.publish(name, b"x")
    kept = ["clips/notes.txt", "metadata/1.parquet.bak", "mine.md"]
    for name in kept:
        folder.publish(name, b"mine")
    other = Plan({**ROWS, "batch_size": 8})
    assert begin_run(folder, other, overwrite=True) == other
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "run.json", "run.copy.json"}
    assert read_plan(folder) == other


def test_a_folder_of_other_things_is_refused_even_to_overwrite(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="not the folder of a run"):
            begin_run(open_folder(str(tmp_path)), PLAN, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").exists()


def test_what_a_run_left_that_died_before_its_plan_is_no_hindrance(tmp_path):
    (tmp_path / "_tmp").mkdir()
    (tmp_path / "_tmp" / "run.json.1").write_text("{")
    assert begin_run(open_folder(str(tmp_path)), PLAN) == PLAN


def test_a_broken_plan_is_an_error_not_a_new_run(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="not a plan"):
        begin_run(open_folder(str(tmp_path)), PLAN)


def test_a_plan_has_a_copy_which_a_later_run_renews(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    content = (tmp_path / "run.json").read_bytes()
    assert (tmp_path / "run.copy.json").read_bytes() == content
    (tmp_path / "run.copy.json").unlink()
    begin_run(folder, PLAN)
    assert (tmp_path / "run.copy.json").read_bytes() == content


def test_a_copy_that_is_no_earlier_state_of_its_run_is_kept(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    copy = tmp_path / "run.copy.json"
    # As a kill leaves it: before rows were added.
    write_plan(folder, PLAN.add(kind="retry", rows="3"))
    copy.write_bytes(PLAN.to_json())
    renew_copy(folder)
    assert not (tmp_path / "_damaged").exists()
    for other in (
        PLAN.add(kind="retry", rows="4"),
        Plan(PLAN.settings, PLAN.chosen, {"command": "y"}),
        Plan({**PLAN.settings, "dtype": "float16"}, PLAN.chosen, PLAN.log),
    ):
        copy.write_bytes(other.to_json())
        (problem,) = verify_copy(folder)
        assert "no earlier state of run.json" in problem.reason
        (*_, done) = repair_plan(folder)
        assert done == "copied run.json to run.copy.json"
        assert copy.read_bytes() == (tmp_path / "run.json").read_bytes()
        assert other.to_json() in [path.read_bytes() for path in (tmp_path / "_damaged").iterdir()]


def test_of_a_plan_and_its_copy_the_one_without_a_seal_was_edited(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    plan, copy = tmp_path / "run.json", tmp_path / "run.copy.json"
    content = plan.read_bytes()
    document = json.loads(content)
    del document["file_sha256"], document["sealed_by"]
    unsealed = json.dumps(document).encode()
    plan.write_bytes(unsealed)
    with pytest.raises(ValueError, match="not as it was written.*--repair puts back its copy"):
        begin_run(folder, PLAN)
    assert copy.read_bytes() == content and verify_copy(folder) == []
    # Neither is to be trusted.
    plan.write_bytes(content[:-9])
    copy.write_bytes(unsealed)
    with pytest.raises(ValueError, match="restore it from a backup"):
        begin_run(folder, PLAN)
    with pytest.raises(ValueError, match="neither run.json nor run.copy.json is a plan"):
        repair_plan(folder)
    # Of earlier versions neither has one.
    plan.write_bytes(unsealed)
    assert begin_run(folder, PLAN) == PLAN and repair_plan(folder) == []


def test_a_hint_is_quoted_for_a_shell(tmp_path):
    folder = open_folder(str(tmp_path / "it's mine"))
    begin_run(folder, PLAN)
    (tmp_path / "it's mine" / "run.json").unlink()
    with pytest.raises(ValueError) as raised:
        read_plan(folder)
    words = shlex.split(str(raised.value).partition("gone; ")[2])
    assert words[:4] == ["jobs/status.py", "--corpus", folder.location, "--repair"]


def test_a_plan_that_is_gone_or_damaged_is_to_be_repaired_from_its_copy(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    content = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").unlink()
    with pytest.raises(ValueError, match="is gone; .*--repair puts back its copy"):
        begin_run(folder, PLAN)
    (tmp_path / "run.json").write_bytes(content.replace(b"float32", b"float16"))
    with pytest.raises(ValueError, match="not as it was written.*--repair puts back its copy"):
        begin_run(folder, PLAN)
    (tmp_path / "run.copy.json").unlink()
    with pytest.raises(ValueError, match="not as it was written.*restore it from a backup"):
        begin_run(folder, PLAN)


def test_a_run_of_another_kind_is_refused_in_a_line(tmp_path):
    folder = open_folder(write_training_shards(tmp_path, 1, num_frames=2))
    with pytest.raises(ValueError, match="holds a run of another kind .rasterize, not animate.;"):
        read_run(folder, ANIMATE)
    assert read_run(folder, RASTERIZE) is not None


def test_extending_is_advised_only_where_it_helps(tmp_path):
    folder = open_folder(str(tmp_path))
    begin_run(folder, PLAN)
    for rows, prefix, is_advised in ((12, None, True), (10, None, False), (12, "other", False)):
        now = Plan({**PLAN.settings, "num_rows": rows, "manifest_fingerprint": "n"})
        with pytest.raises(ValueError, match="manifest_fingerprint") as raised:
            begin_run(folder, now, prefix_fingerprint=prefix)
        assert ("add --extend" in str(raised.value)) == is_advised
