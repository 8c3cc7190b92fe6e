"""optbench compare, on hand-made result sets of which every number is known."""

import argparse
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pandas as pd
import pytest

import optbench
from optbench.cli import main
from optbench.compare import add_arguments, compare
from optbench.compare.text import RENDERERS

INF = math.inf
PROBLEMS = [f"problem{k}" for k in range(8)]


@dataclass
class Results:
    runs: pd.DataFrame
    trials: pd.DataFrame
    hits: pd.DataFrame


def results(
    problems=("beale",), optimizers=("adam",), *, seeds=5, host="a", role="tuned", lr=0.1, reached=None, **changed
):
    """Trial k of each run reaches target 1e-2 after 100 + k steps and 1e-4 100 later; `changed`: run columns."""
    runs, trials, hits = [], [], []
    for problem in problems:
        for optimizer in optimizers:
            run_id = f"{problem} {optimizer} {host}"
            labels = {"problem": problem, "optimizer": optimizer, "schedule": "constant", "modifier": ""}
            about = json.dumps({"problem": {"targets": [1e-2, 1e-4]}})
            run = {"run_id": run_id, "config_id": f"{problem} {optimizer}", **labels, "about": about, "status": "ok"}
            run |= {"error": "", "n": 2, "steps": 1000, "target": 1e-2, "minimum": 0.0, "dtype": "float64"}
            run |= {"device": "cpu", "step_seconds": 1e-4, "state_bytes": 36, "host": host}
            runs.append(run | changed)
            for k in range(seeds):
                at = (reached or (lambda problem, k: 100 + k))(problem, k)
                trial = {"run_id": run_id, "trial": k, **labels, "role": role, "setting": 0, "lr": lr, "seed": k}
                trial |= {"status": "ok", "final_loss": 1e-3, "steps_to_target": at, "evaluations": 1000}
                trials.append(trial | {"state_bytes": 36, "step_seconds": 1e-4, "final_accuracy": math.nan})
                for target, step in ((1e-2, at), (1e-4, at + 100)):
                    hits.append({"run_id": run_id, "trial": k, "target": target, "step": step, "evaluations": step})
    return Results(pd.DataFrame(runs), pd.DataFrame(trials), pd.DataFrame(hits))


def verdicts(comparison):
    return [
        (f.verdict, f.measure) for f in [*comparison.findings, *comparison.tests] if f.verdict != "too few problems"
    ]


def texts(comparison, measure):
    return [f.text for f in comparison.findings if f.measure == measure]


def test_equal_results_show_no_difference():
    both = compare(results(PROBLEMS), results(PROBLEMS))
    assert (both.runs, both.trials, both.findings, both.notes) == (8, 40, [], [])
    assert {t.verdict for t in both.tests} == {"no change shown"}
    assert all(t.p == 1 and t.ratio == 1 for t in both.tests)
    assert both.verdict == "Nothing regressed"


def test_on_equal_hosts_steps_to_target_compare_exactly_and_beyond_the_size():
    slower = compare(results(), results(reached=lambda problem, k: 120 + k))
    assert verdicts(slower) == [("regression", "steps to target"), ("regression", "hits")]
    assert texts(slower, "steps to target") == ["median steps 102 → 122 (+20 %), reached 5 → 5 of 5"]
    assert texts(slower, "hits") == ["1 of 1 other target; 0.0001: median steps 202 → 222 (+10 %)"]
    assert verdicts(compare(results(), results(reached=lambda problem, k: 80 + k)))[0] == (
        "improvement",
        "steps to target",
    )


def test_a_change_within_the_size_is_reported_and_does_not_gate():
    one_more = results(reached=lambda problem, k: 101 + k)
    assert verdicts(compare(results(), one_more)) == [("changed", "steps to target")]
    assert compare(results(), one_more, size=0.001).regressions


def test_one_seed_that_no_longer_reaches_the_target_is_a_regression_though_the_median_is_the_same():
    lost = compare(results(), results(reached=lambda problem, k: INF if k == 4 else 100 + k))
    assert texts(lost, "steps to target") == ["median steps 102 → 102 (+0 %), reached 5 → 4 of 5"]
    assert ("regression", "steps to target") in verdicts(lost)


def test_on_other_hosts_one_problem_gates_nothing_and_says_how_many_are_needed():
    elsewhere = compare(results(), results(host="b", reached=lambda problem, k: 10 * (100 + k)))
    assert elsewhere.regressions == []
    assert [(t.measure, t.verdict, t.problems, t.needed) for t in elsewhere.tests] == [
        ("final loss", "too few problems", 1, 7),
        ("steps to target", "too few problems", 1, 7),
    ]
    (interval,) = [i for i in elsewhere.intervals if i.measure == "steps to target"]
    assert (interval.pairs, interval.ratio, interval.low, interval.high) == pytest.approx((5, 10, 10, 10))
    assert interval.coverage == 0.9375
    assert "7 are needed" in RENDERERS["text"](elsewhere, "a", "b")


def test_on_other_hosts_eight_problems_that_all_got_slower_are_a_regression():
    slower = compare(results(PROBLEMS), results(PROBLEMS, host="b", reached=lambda problem, k: 110 + k))
    (test,) = slower.regressions
    assert (test.measure, test.problems, test.p, test.p_adjusted) == ("steps to target", 8, 2**-7, 2**-6)
    assert test.ratio == pytest.approx(112 / 102)
    small = compare(results(PROBLEMS), results(PROBLEMS, host="b", reached=lambda problem, k: 103 + k))
    assert small.regressions == []  # 3 % on every problem is sure, and within the size


def test_a_mixed_change_on_other_hosts_is_none():
    def mixed(problem, k):
        return 200 if int(problem[-1]) % 2 else 50

    both = compare(results(PROBLEMS, reached=lambda *_: 100), results(PROBLEMS, host="b", reached=mixed))
    assert both.regressions == []
    assert {t.verdict for t in both.tests} == {"no change shown"}


def test_more_state_bytes_are_a_regression_and_fewer_an_improvement():
    assert verdicts(compare(results(), results(state_bytes=37, host="b")))[0] == ("regression", "state bytes")
    assert verdicts(compare(results(), results(state_bytes=35)))[0] == ("improvement", "state bytes")


def test_more_evaluations_are_a_regression_on_any_host_where_all_seeds_took_equally_many():
    more = results(host="b")
    more.trials["evaluations"] = 1001
    assert ("regression", "evaluations") in verdicts(compare(results(), more))


def test_evaluations_of_a_line_search_are_tested_on_other_hosts_since_rounding_changes_them():
    base, new = results(), results(host="b")
    base.trials["evaluations"] = [1000, 1001, 1002, 1003, 1004]
    new.trials["evaluations"] = [1001, 1001, 1002, 1003, 1004]
    elsewhere = compare(base, new)
    assert elsewhere.regressions == []
    assert "evaluations" in {t.measure for t in elsewhere.tests}
    new.runs["host"] = "a"
    assert texts(compare(base, new), "evaluations") == ["5,010 → 5,011 evaluations in 5 trials"]


def test_new_failures_are_a_regression_and_failures_gone_an_improvement():
    broken = results()
    broken.trials.loc[[1, 2], ["status", "final_loss"]] = ["diverged", INF]
    worse = compare(results(), broken)
    assert texts(worse, "status") == ["failed trials 0 → 2 of 5 (2 diverged)"]
    assert ("regression", "status") in verdicts(worse)
    assert ("improvement", "status") in verdicts(compare(broken, results()))


def test_a_trial_that_now_ends_in_an_error_is_a_regression_even_where_another_recovered():
    base, new = results(), results()
    base.trials.loc[0, "status"] = "diverged"
    new.trials.loc[1, "status"] = "error"
    assert ("regression", "status") in verdicts(compare(base, new))


def test_a_tuning_trial_may_diverge_but_not_crash():
    base, new = results(role="tuning"), results(role="tuning")
    new.trials.loc[0, "status"] = "diverged"
    assert verdicts(compare(base, new)) == []
    new.trials.loc[0, "status"] = "error"
    assert verdicts(compare(base, new)) == [("regression", "status")]


def test_a_run_that_now_fails_before_its_first_step_is_a_regression_with_its_message():
    failed = results(
        status="error", error="no such thing", n=-1, target=math.nan, minimum=math.nan, state_bytes=math.nan
    )
    failed.runs["about"] = json.dumps({"problem": {}})
    failed.trials = failed.trials.assign(status="error", final_loss=INF, steps_to_target=INF, evaluations=0)
    failed.hits = failed.hits.iloc[:0]
    worse = compare(results(), failed)
    assert texts(worse, "run status") == ["ok → error: no such thing"]
    assert ("regression", "run status") in verdicts(worse)
    assert ("improvement", "run status") in verdicts(compare(failed, results()))


def test_categories_as_the_store_gives_them_compare_like_words():
    def categories(side):
        words = dict.fromkeys(("run_id", "problem", "optimizer", "role", "status"), "category")
        return Results(side.runs, side.trials.astype(words), side.hits.astype({"run_id": "category"}))

    base, new = results(["beale", "cliff"]), results(["cliff", "saddle"], host="b", reached=lambda problem, k: 300 + k)
    new.trials.loc[[1, 2], ["status", "final_loss"]] = ["diverged", INF]
    assert compare(categories(base), categories(new)) == compare(base, new)


def test_runs_of_one_side_only_are_named():
    both = compare(results(["beale", "cliff"]), results(["beale", "saddle"]))
    assert both.runs == 1
    assert both.notes == ["1 run only in base: adam · cliff · constant", "1 run only in new: adam · saddle · constant"]


def test_nothing_in_common_is_said():
    assert compare(results(["beale"]), results(["cliff"])).verdict == "Nothing could be compared"


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("steps", 500, "the budgets differ (1000 and 500)"),
        ("target", 1e-3, "the targets differ (0.01 and 0.001)"),
        ("minimum", math.nan, "the minima differ (0 and nan)"),
        ("dtype", "float32", "the dtypes differ (float64 and float32)"),
        ("device", "cuda", "the devices differ (cpu and cuda)"),
    ],
)
def test_runs_that_answer_different_questions_are_not_compared(column, value, told):
    both = compare(results(), results(**{column: value}))
    assert both.runs == 0
    assert both.notes == [f"adam · beale · constant: not compared, {told}"]


def test_a_tuned_setting_that_differs_is_told_and_its_trials_are_compared():
    both = compare(results(), results(lr=0.3, reached=lambda problem, k: 50 + k))
    assert both.trials == 5
    assert both.notes == ["adam · beale · constant: the tuned lr differs (0.1 → 0.3)"]
    assert ("improvement", "steps to target") in verdicts(both)


def test_tuning_trials_are_paired_by_the_values_of_their_settings():
    both = compare(results(role="tuning"), results(role="tuning", lr=0.3))
    assert both.trials == 0
    assert [note.split(" only")[0] for note in both.notes] == ["5 tuning trials of paired runs"] * 2


def test_final_losses_below_the_hardest_target_are_equal():
    base, new = results(PROBLEMS), results(PROBLEMS)
    base.trials["final_loss"], new.trials["final_loss"] = 1e-25, 1e-9
    assert verdicts(compare(base, new)) == [("no change shown", "final loss"), ("no change shown", "step time")]
    new.trials["final_loss"] = 1e-3
    (worse,) = compare(base, new).regressions
    assert (worse.measure, worse.ratio) == ("final loss", pytest.approx(10))


def test_losses_without_a_known_minimum_are_compared_as_they_are_and_negative_ones_are_named():
    base, new = results(PROBLEMS, minimum=math.nan), results(PROBLEMS, minimum=math.nan)
    new.trials["final_loss"] = 2e-3
    (worse,) = compare(base, new).regressions
    assert (worse.measure, worse.ratio) == ("final loss", pytest.approx(2))
    new.trials["final_loss"] = -1.0
    refused = compare(base, new)
    assert "negative or missing numbers have no ratio" in refused.notes[0]
    assert "final loss" not in {t.measure for t in refused.tests}


def test_tuned_trials_speak_for_a_problem_and_default_ones_where_there_are_none():
    def both(lr, steps):
        tuned = results(PROBLEMS, host=f"{lr}", reached=steps)
        default = results(PROBLEMS, host=f"{lr}", role="default", reached=lambda *_: INF)
        default.trials["trial"] += 5
        return Results(tuned.runs, pd.concat([tuned.trials, default.trials]), tuned.hits)

    slower = compare(both(1, lambda *_: 100), both(2, lambda *_: 200))
    (worse,) = slower.regressions
    assert (worse.measure, worse.ratio) == ("steps to target", pytest.approx(2))


def test_times_warn_on_equal_hosts_and_are_left_out_on_others():
    slower = compare(results(PROBLEMS), results(PROBLEMS, step_seconds=2e-4))
    assert slower.regressions == []
    assert ("slower", "step time") in verdicts(slower)
    elsewhere = compare(results(PROBLEMS), results(PROBLEMS, step_seconds=2e-4, host="b"))
    assert "step time" not in {t.measure for t in elsewhere.tests}
    assert any("step times of 8 runs not compared" in note for note in elsewhere.notes)


def test_holm_counts_the_tests_of_all_optimizers():
    optimizers = [f"o{k}" for k in range(4)]
    slower = results(PROBLEMS, optimizers, host="b", reached=lambda problem, k: 150 + k)
    both = compare(results(PROBLEMS, optimizers), slower)
    assert {t.needed for t in both.tests} == {9}  # 8 tests · 2^(1−9) = 0.03, and 8 problems give 0.0625
    assert both.regressions == []


def test_labels_of_several_configurations_are_paired_by_configuration():
    base, new = results(), results()
    for side in (base, new):
        second = results(state_bytes=99)
        second.runs[["run_id", "config_id"]] = "second"
        side.runs = pd.concat([side.runs, second.runs], ignore_index=True)
    both = compare(base, new)
    assert (both.runs, both.findings) == (2, [])


def test_text_leaves_out_empty_sections_and_ends_with_the_verdict():
    shown = RENDERERS["text"](compare(results(), results(state_bytes=72)), "base", "new")
    assert shown.splitlines()[:4] == [
        "base → new: 1 paired run, 5 paired trials",
        "",
        "Regressions (1)",
        "  adam · beale · constant  state bytes  36 → 72 bytes a trial",
    ]
    assert "Improvements" not in shown
    assert shown.endswith("1 regression.\n")


def test_markdown_has_the_verdict_first_and_escapes_bars():
    shown = RENDERERS["markdown"](compare(results(), results(status="error", error="a|b")), "base", "new")
    assert shown.startswith("## optbench: 1 regression\n")
    assert "| adam · beale · constant | run status | ok → error: a\\|b |" in shown


def test_json_is_strict_and_holds_everything():
    both = compare(results(), results(reached=lambda *_: INF))
    loaded = json.loads(RENDERERS["json"](both, "x", "y"), parse_constant=pytest.fail)
    assert loaded["regressed"] is True
    assert loaded["findings"][0]["new"] == "inf"
    assert {"findings", "tests", "intervals", "notes", "size", "alpha", "runs", "trials"} <= set(loaded)


def test_long_sections_are_cut_and_counted():
    many = [f"p{k}" for k in range(30)]
    shown = RENDERERS["text"](compare(results(many), results(many, state_bytes=72)), "base", "new")
    assert "… and 10 more (--format json has all)" in shown


@pytest.mark.parametrize("share", ["0", "1", "5%", "-0.1", "nan"])
def test_a_size_outside_its_range_is_a_usage_error(share, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["base", "new", "--size", share])
    assert stop.value.code == 2
    assert "must be a number between 0 and 1" in capsys.readouterr().err


def test_comparing_imports_no_torch():
    code = (
        "import sys, optbench.compare as c; assert 'pandas' not in sys.modules;"
        "import optbench.compare.text, optbench.compare.exact, optbench.compare.tested, optbench.compare.pairing;"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A real sweep, and a copy of it in which every run keeps one byte more."""
    base, new = tmp_path_factory.mktemp("sweep") / "base", tmp_path_factory.mktemp("sweep") / "new"
    optbench.run(
        "problem=beale,saddle", "optimizer=sgd,adam", "tuning.method=grid", "tuning.trials=3", steps=60, results=base
    )
    shutil.copytree(base, new)
    for shard in new.glob("runs-*.parquet"):
        runs = pd.read_parquet(shard)
        runs["state_bytes"] += 1
        runs.to_parquet(shard)
    return str(base), str(new)


def test_a_sweep_compared_with_itself_exits_with_0(folders, capsys):
    assert main(["compare", folders[0], folders[0]]) == 0
    assert capsys.readouterr().out.endswith("Nothing regressed.\n")


def test_a_regression_exits_with_1_in_every_format(folders, capsys, tmp_path):
    for form, told in (
        ("text", "4 regressions."),
        ("markdown", "optbench: 4 regressions"),
        ("json", '"regressed": true'),
    ):
        assert main(["compare", *folders, "--format", form]) == 1
        assert told in capsys.readouterr().out
    assert main(["compare", *folders, "-o", str(tmp_path / "out.txt")]) == 1
    assert "4 regressions; written to" in capsys.readouterr().out
    assert (tmp_path / "out.txt").read_text().endswith("4 regressions.\n")


def test_folders_without_a_common_run_gate_nothing_and_exit_with_2(folders, capsys, tmp_path):
    other = str(tmp_path / "other")
    assert main(["run", "problem=beale", "optimizer=sgd", "steps=2", "seeds=1", f"results={other}"]) == 0
    assert main(["compare", folders[0], other]) == 2
    assert "have no run in common, so nothing could be judged" in capsys.readouterr().err


def test_a_missing_folder_and_an_unwritable_file_are_usage_errors(folders, capsys, tmp_path):
    assert main(["compare", folders[0], str(tmp_path / "none")]) == 2
    assert "there is no results folder" in capsys.readouterr().err
    assert main(["compare", *folders, "-o", str(tmp_path / "no" / "such" / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
