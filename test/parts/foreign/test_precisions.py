"""Decoders that others exported, in narrower numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import surgery  # noqa: E402
from foreign import DECODER, Change, change, picture  # noqa: E402
from grouped_attention import grouped_attention  # noqa: E402

from vlm_ros.build.precision.passes import write_part  # noqa: E402
from vlm_ros.build.validation.validating import validate_part  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.models.recording import record  # noqa: E402

FORMS: dict[str, tuple[Change, str]] = {
    "tokens before heads": (surgery.tokens_first, "int8"),
    "grouped attention": (grouped_attention, "fp16"),
}


@pytest.mark.parametrize("form", FORMS)
def test_narrower_graph_answers_nearly_alike_when_the_decoder_has_another_form(form: str, folder: Path) -> None:
    apply, precision = FORMS[form]
    change(folder, DECODER, apply)
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER][:3]
    write_part(bundle, DECODER, precision, samples)
    report = validate_part(bundle, DECODER, precision, samples)
    assert report.worst.correlation > 0.99, report.worst
    assert report.size_bytes < 0.8 * report.reference_bytes
