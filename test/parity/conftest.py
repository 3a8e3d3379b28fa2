"""Models of random weights, each beside the bundle that was exported from it."""

from __future__ import annotations

import runpy
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from PIL import Image

from vlm_ros.core.bundle import Bundle
from vlm_ros.export.exporting import export_bundle
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

MAKE_TINY = Path(__file__).parents[1] / "bundles" / "make_tiny_llava.py"
TEXT_CONFIGS = {"llama": "LlamaConfig", "phi3": "Phi3Config", "mistral": "MistralConfig", "qwen2": "Qwen2Config"}
HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Exported:
    """A checkpoint as transformers runs it, and its bundle with active runners by part."""

    model: Any
    processor: Any
    bundle: Bundle
    runners: dict[str, OnnxRuntimeRunner]

    def inputs(self, rgb, question):
        """Tokens and pixels of a picture and a question, as the checkpoint's own processor makes them."""
        content = [{"type": "image", "image": Image.fromarray(rgb)}, {"type": "text", "text": question}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    def answer(self, rgb, question, tokens):
        """What transformers answers in at most so many tokens, without white space in front."""
        inputs = self.inputs(rgb, question)
        answer = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
        return self.processor.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).lstrip()

    def same(self, text, rgb, question, tokens):
        """Whether ``text`` is what transformers answers; half a character at the end counts for neither."""
        return text.rstrip(HALF_CHARACTER) == self.answer(rgb, question, tokens).rstrip(HALF_CHARACTER)

    def features(self, pixels):
        """The exported image features (batch, tokens, width) of ``pixels``."""
        return self.runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]


@pytest.fixture(scope="session")
def tiny():
    """The functions that make tiny checkpoints, by name."""
    return runpy.run_path(str(MAKE_TINY))


@pytest.fixture
def checkpoint(tmp_path, tiny):
    """The folder of a tiny checkpoint, to be changed."""
    tiny["make_checkpoint"](tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.fixture(scope="session")
def open_pair():
    """Opens a checkpoint and its bundle, ready to run until the tests end."""
    from transformers import AutoProcessor

    from vlm_ros.export.llava import load_checkpoint

    with ExitStack() as stack:

        def opened(checkpoint: Path, folder: Path) -> Exported:
            bundle = Bundle(folder)
            runners = {part: OnnxRuntimeRunner(bundle.onnx(part)) for part in bundle.parts}
            for runner in runners.values():
                stack.callback(runner.deactivate)
                runner.activate()
            return Exported(load_checkpoint(checkpoint), AutoProcessor.from_pretrained(checkpoint), bundle, runners)

        yield opened


@pytest.fixture(scope="session", params=[*TEXT_CONFIGS, "llama-23"])
def exported(request, tmp_path_factory, tiny, open_pair):
    """Every text model of the family at the default opset, and one of them at the other."""
    import transformers

    name, _, opset = request.param.partition("-")
    if opset == "23" and onnxruntime.__version__.startswith("1.23."):
        pytest.skip("ONNX Runtime 1.23 answers left-padded prompts with NaN at opset 23")
    folder = tmp_path_factory.mktemp(request.param)
    sizes = tiny["text_sizes"](len(tiny["make_processor"]().tokenizer))
    text = getattr(transformers, TEXT_CONFIGS[name])(**sizes)
    tiny["make_checkpoint"](folder / "checkpoint", seed=sum(request.param.encode()), text=text)
    export_bundle(folder / "checkpoint", folder / "bundle", int(opset or 20))
    return open_pair(folder / "checkpoint", folder / "bundle")
