"""Seconds become figures and ratios."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

from vlm_ros.benchmark.figures import figures_from_timings, pearson_of, ratios_of, share_of_bandwidth
from vlm_ros.benchmark.job import Job, job_from_text, text_of, timings_from_text
from vlm_ros.benchmark.report import Report, write_csv
from vlm_ros.benchmark.table import state_text, table_of
from vlm_ros.core.errors import BenchmarkFailed

MACHINE = {
    "processor": "P",
    "cores": 2,
    "threads": 1,
    "load": 0.1,
    "bandwidth_gbps": 10.0,
    "versions": {"numpy": "2.0.0", "torch": ""},
}


@pytest.fixture
def report(timings):
    """Two precisions, of which the faster is not accurate, beside a peer that is four times as slow."""
    peer = figures_from_timings("transformers fp32", timings(4.0, 1_000_000_000))
    watched = {"parts_s": {"vision_encoder": [0.05]}, "python_steps_s": [0.0002]}
    variants = {
        "int8": figures_from_timings("int8", timings(**watched), logits_pearson=0.999, bandwidth_share=0.5),
        "q4": figures_from_timings("q4", timings(0.5, **watched), logits_pearson=0.9, bandwidth_share=0.3),
    }
    demo = figures_from_timings("fp32", timings())
    return Report("llava-196M", 196_000_000, MACHINE, variants, peer, demo, ("fp16: the model has no such files",))


def test_figures_are_medians_and_percentiles(timings):
    figures = figures_from_timings("fp32", timings())
    assert figures.ttft_ms == 100.0
    assert figures.step_ms == 10.0
    assert figures.step_p99_ms > 25.0
    assert figures.tokens_per_s == 100.0


def test_too_short_answers_are_refused(timings):
    with pytest.raises(BenchmarkFailed, match="at once"):
        figures_from_timings("fp32", dataclasses.replace(timings(), steps_s=[]))


def test_ratios_are_ours_to_the_peers_but_for_decoding(timings):
    ours, peer = (figures_from_timings("one", timings(slower)) for slower in (1.0, 4.0))
    ratios = ratios_of(ours, peer)
    assert (ratios.ttft_ratio, ratios.decode_ratio, ratios.questions3_ratio) == (0.25, 4.0, 0.25)
    assert ratios.rss_ratio == 1.0


def test_share_is_whole_when_every_byte_takes_the_time_that_memory_needs(timings):
    assert share_of_bandwidth(100_000_000, timings(paced_steps_s=[0.01], bandwidths_gbps=[10.0])) == 1.0


def test_share_stays_the_same_when_memory_and_decoder_slow_down_together(timings):
    """A neighbour that takes half of the memory's speed for a while says nothing about the decoder."""
    drifting = timings(paced_steps_s=[0.02, 0.04, 0.01], bandwidths_gbps=[10.0, 5.0, 20.0])
    assert share_of_bandwidth(100_000_000, drifting) == 0.5


def test_share_is_less_when_the_decoder_alone_is_slower(timings):
    slower = timings(paced_steps_s=[0.02] * 3, bandwidths_gbps=[10.0] * 3)
    assert share_of_bandwidth(100_000_000, slower) == 0.5


def test_share_is_none_when_no_answer_was_long_enough(timings):
    assert share_of_bandwidth(100_000_000, timings()) is None


def test_correlation_is_that_of_the_files(tmp_path):
    logits = np.arange(12.0).reshape(2, 6)
    np.save(tmp_path / "a.npy", logits)
    np.save(tmp_path / "b.npy", -logits)
    assert pearson_of(tmp_path / "a.npy", tmp_path / "a.npy") == 1.0
    assert pearson_of(tmp_path / "a.npy", tmp_path / "b.npy") == -1.0


def test_object_has_the_ratios_of_every_precision_and_the_scalars_of_the_best(report):
    content = json.loads(json.dumps(report.to_json()))
    names = ("ttft_ratio", "decode_ratio", "rss_ratio", "logits_pearson", "bandwidth_share")
    assert all(
        isinstance(content["precisions"][precision][name], float) for precision in ("int8", "q4") for name in names
    )
    assert content["best"] == "int8"
    assert content["questions3_ratio"] == 0.25
    assert content["python_ms_per_token"] == 0.2
    assert content["start_to_first_answer_s"] == 1.5


def test_rows_begin_with_the_peer(report, tmp_path):
    write_csv(report, tmp_path / "bench.csv")
    rows = list(csv.DictReader((tmp_path / "bench.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["transformers fp32", "int8", "q4"]
    assert rows[1]["tokens_per_s"] == "100.0"


def test_table_has_a_column_for_each_variant(report):
    columns = table_of(report).columns
    assert [column.header for column in columns] == ["", "transformers fp32", "int8", "q4"]
    assert "0.25" in list(columns[2].cells)
    assert "load 0.1" in state_text(report)


def test_job_and_timings_cross_from_process_to_process(timings):
    job = Job("folder", ("a", "b", "c"), {"part": "engine"}, tokens=4)
    assert job_from_text(text_of(job)) == job
    assert timings_from_text(text_of(timings())) == timings()
