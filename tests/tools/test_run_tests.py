"""tools/run_tests counts what passed, failed and was skipped; what went wrong is never a success."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "run_tests"


@pytest.fixture
def tool():
    loader = importlib.machinery.SourceFileLoader("run_tests_tool", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests_tool", loader))
    sys.modules["run_tests_tool"] = module  # dataclasses look their module up
    loader.exec_module(module)
    yield module
    del sys.modules["run_tests_tool"]


def writes_report(cases, status=0):
    """A program like GoogleTest's: writes a report where its last argument says."""
    text = f"<testsuites><testsuite>{cases}</testsuite></testsuites>"
    code = f"import sys; open(sys.argv[1][6:], 'w').write({text!r}); sys.exit({status})"
    return [sys.executable, "-c", code]


CASES = (
    '<testcase classname="A" name="good"/>'
    '<testcase classname="A" name="wrong"><failure message="short">the whole story</failure></testcase>'
    '<testcase classname="A" name="broken"><error message="no fixture"/></testcase>'
    '<testcase classname="A" name="left"><skipped message="real data is not there (KEEL_TEST_DATA)"/></testcase>'
    '<testcase classname="A" name="off" status="notrun"/>'
)


def test_every_kind_of_case_is_counted(tool):
    result = tool.by_report("suite", writes_report(CASES, status=1), "--out=")
    assert result.passed == 1
    assert result.failed == [("A.wrong", "the whole story"), ("A.broken", "no fixture")]
    assert [note.test for note in result.skipped] == ["A.left", "A.off"]


def test_a_program_that_dies_is_a_failure(tool):
    killed = [sys.executable, "-c", "import os; print('last words', flush=True); os.kill(os.getpid(), 11)"]
    assert tool.by_report("suite", killed, "--out=").failed == [
        ("suite", "was killed by signal 11\nlast words")
    ]


def test_a_report_of_success_does_not_hide_an_exit_status(tool):
    result = tool.by_report("suite", writes_report('<testcase name="a"/>', status=3), "--out=")
    assert result.passed == 1 and [note.test for note in result.failed] == ["suite"]


def test_a_suite_without_tests_is_a_failure(tool):
    assert tool.by_report("suite", writes_report(""), "--out=").failed == [("suite", "ran no test")]


@pytest.mark.parametrize("ci, there, failed", [("true", True, 1), ("true", False, 0), ("", True, 0)])
def test_missing_data_fails_on_ci_where_it_is_there(tool, tmp_path, monkeypatch, ci, there, failed):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(tool, "DATA", tmp_path if there else tmp_path / "absent")
    result = tool.Result(skipped=[tool.Note("A.left", "no data (KEEL_TEST_DATA)"), tool.Note("B", "no root")])
    tool.refuse_skipped_data(result)
    assert (len(result.failed), len(result.skipped)) == (failed, 2 - failed)


def test_the_last_line_and_the_exit_status(tool, monkeypatch, capsys):
    one = tool.Suite("one", True, lambda: tool.Result(passed=2, skipped=[tool.Note("x", "y")]))
    two = tool.Suite("two", False, lambda: tool.Result(failed=[tool.Note("z", "line")]))
    monkeypatch.setattr(tool, "suites", lambda: [one, two])
    monkeypatch.setattr(sys, "argv", ["run_tests"])
    assert tool.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 1 failed, 1 skipped"
    monkeypatch.setattr(sys, "argv", ["run_tests", "--quick"])
    assert tool.main() == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "2 passed, 0 failed, 1 skipped" and "  skipped x: y" in out
