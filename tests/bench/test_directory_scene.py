"""What a scene came to is drawn, judged and counted; one part of it is played."""

from __future__ import annotations

from collections import Counter

import pytest

from bench import directory_scene
from bench.directory_scene import SEARCHING, Messages, Report, main, measure, without


def test_the_worst_is_judged_or_the_median_and_what_is_missed_is_said() -> None:
    report = Report()
    report.row("change", 2.0).took_s += [0.1, 0.2, 2.5]
    report.row("first hit", 0.05, of_median=True).took_s += [0.01, 0.02, 0.4]
    report.row("found again", 5.0).took_s += [5.0]
    assert [row.kept for row in report.rows] == [False, True, True]
    assert report.missed == ["change: not within 2,000 ms"]
    lines = report.text().split("\n\n")[0].splitlines()
    assert lines[2] == "| change | 3 | 200 | 2,500 | worst at most 2,000 | NO |"
    assert lines[3] == "| first hit | 3 | 20 | 400 | p50 at most 50 | yes |"
    assert len({one.count("|") for one in lines}) == 1


def test_messages_are_those_of_one_happening_by_protocol_and_kind() -> None:
    sent = Counter({("overlay", "ask"): 6, ("directory", "query"): 2, ("directory", "held"): 3})
    assert Messages("search", 2, sent).cells() == [
        "search", "5.5", "directory: 1.5 held, 1 query; overlay: 3 ask",
    ]  # fmt: skip
    assert without(sent, SEARCHING) == {("directory", "held"): 3}


def test_a_missed_promise_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    took_s = 0.04

    def fake(_folder: object, repeats: int) -> Report:
        report = Report()
        report.row("first hit", 0.05).took_s += [took_s] * repeats
        return report

    monkeypatch.setattr(directory_scene, "line", fake)
    assert main(["line", "--repeats", "2"]) == 0
    took_s = 0.06
    assert main(["line", "--repeats", "2"]) == 1
    assert "first hit: not within 50 ms" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["nothing"], ["--repeats", "0"]])
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)


def test_a_line_is_played_and_its_messages_are_counted() -> None:
    report = measure(["line"], 1)
    (row,), (messages,) = report.rows, report.messages
    assert len(row.took_s) == 3
    # Two hops there and back: who asks the next one and who answers, whatever else is asked in vain.
    assert messages.sent["overlay", "hits"] == 2 * messages.per
    assert messages.sent["overlay", "ask"] == messages.sent["overlay", "done"] >= 2 * messages.per
    assert messages.sent["directory", "query"] == messages.per
