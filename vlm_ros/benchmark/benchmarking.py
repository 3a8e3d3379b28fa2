"""One run: the machine, the peer, and every precision, one process after the other."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vlm_ros.benchmark.figures import Figures, figures_from_timings, pearson_of, share_of_bandwidth
from vlm_ros.benchmark.job import Job
from vlm_ros.benchmark.material import DECODER, Material, engines_of, material_from_bundle
from vlm_ros.benchmark.report import Report
from vlm_ros.benchmark.running import run_ours, run_peer
from vlm_ros.benchmark.state import machine_state
from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.manifest import Manifest
from vlm_ros.build.origin import check_origin
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.core.places import find_bundle
from vlm_ros.export.exporting import OnStep
from vlm_ros.language.prompts import question_about

PEER = "transformers fp32"


@dataclass(frozen=True)
class Effort:
    """How much is measured: answers in a row, and tokens in each; with ``cuda``, on an NVIDIA GPU."""

    threads: int = 1
    rounds: int = 5
    tokens: int = 32
    cuda: bool = False


def run_benchmark(
    material: Material, precisions: Sequence[str], store: EngineStore, effort: Effort, on_step: OnStep
) -> Report:
    """Measure ``material`` at those of ``precisions`` that it has, and the start of the demo model.

    ``BadBundle`` before anything is measured where a part was made of an older fp32 graph.
    """
    there = [precision for precision in precisions if material.offers(precision)]
    for precision in there:
        for part, chosen in material.mix(precision, store).items():
            check_origin(material.bundle, part, chosen)
    notes = [f"{precision}: the model has no such files" for precision in precisions if precision not in there]
    if effort.cuda:
        notes.append("computed on CUDA: memory is the process's on the host, not the GPU's")
    if AUTO in there:
        notes.append(f"auto: {', '.join(' '.join(one) for one in material.mix(AUTO, store).items())}")
    steps = len(there) + 2
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(material, store, effort, Path(folder))
        on_step(f"measure {PEER}", 0.0)
        peer = run.peer()
        variants = {}
        for number, precision in enumerate(there, start=1):
            on_step(f"measure {precision}", number / steps)
            variants[precision] = run.variant(precision, peer is not None)
        on_step("measure the start of the demo model", 1 - 1 / steps)
        demo = dataclasses.replace(run, material=material_from_bundle(find_bundle("demo"))).variant("fp32", False)
    machine = machine_state(effort.threads, median(figures.bandwidth_gbps or 0.0 for figures in variants.values()))
    return Report(material.bundle.name, material.parameters, machine, variants, peer, demo, tuple(notes))


@dataclass(frozen=True)
class _Run:
    material: Material
    store: EngineStore
    effort: Effort
    folder: Path

    def peer(self) -> Figures | None:
        """transformers on the checkpoint, if there is one."""
        if self.material.checkpoint is None:
            return None
        return figures_from_timings(PEER, run_peer(self._job(self.material.checkpoint, PEER)))

    def variant(self, precision: str, compared: bool) -> Figures:
        """Our own model at ``precision``, its logits compared with the peer's."""
        mix = self.material.mix(precision, self.store)
        engines, build_s = self._engines(mix)
        job = self._job(self.material.bundle.folder, precision)
        job = dataclasses.replace(job, engines={part: str(path) for part, path in engines.items()})
        timings = run_ours(job)
        decoder_bytes = total_bytes(self.material.bundle.onnx(DECODER, mix[DECODER]))
        share = None if self.effort.cuda else share_of_bandwidth(decoder_bytes, timings)
        pearson = pearson_of(Path(job.logits), self._logits(PEER)) if compared else None
        return figures_from_timings(precision, timings, bandwidth_share=share, logits_pearson=pearson, build_s=build_s)

    def _engines(self, mix: Mapping[str, str]) -> tuple[dict[str, Path], float]:
        """The engine of every part, and how long they took to build; a GPU runs the ONNX files themselves."""
        if self.effort.cuda:
            return {part: self.material.bundle.onnx(part, precision) for part, precision in mix.items()}, 0.0
        engines = engines_of(self.material, mix, self.store)
        return engines, sum(Manifest.read(engine.parent).build_s for engine in engines.values())

    def _job(self, model: Path, name: str) -> Job:
        effort = self.effort
        return Job(
            str(model),
            questions_of(self.material.bundle),
            threads=effort.threads,
            rounds=effort.rounds,
            tokens=effort.tokens,
            logits=str(self._logits(name)),
            cuda=effort.cuda,
        )

    def _logits(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '_')}.npy"


def questions_of(bundle: Bundle) -> tuple[str, str, str]:
    """What a robot asks about every picture: the scene, the target and the path."""
    card = bundle.card
    return card.describe_prompt, question_about(card, "red ball"), card.path_prompt
