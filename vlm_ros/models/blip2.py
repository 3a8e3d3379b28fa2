"""BLIP-2 and MiniGPT-4: a Q-Former makes a few tokens of the picture, which stand in the prompt.

OPT, Llama and Vicuna read them as LLaVA's text models do; Flan-T5 reads them with its encoder.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.models.blip2_seq2seq import ENCODER_PARTS, Blip2Seq2SeqModel
from vlm_ros.models.llava import LlavaModel
from vlm_ros.models.model import Model
from vlm_ros.runtime.runner import Runner


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Model:
    """The model of ``bundle``, from active runners of its parts; ``BadBundle`` names one that its text model lacks."""
    kind = (bundle.config.get("text_config") or {}).get("model_type", "opt")
    missing = sorted(set(ENCODER_PARTS) - set(runners))
    if kind == "t5" and missing:
        raise BadBundle(f"'{bundle.folder}' has a T5 text model and lacks {missing}: export or copy the bundle again")
    return LlavaModel(bundle, runners) if missing else Blip2Seq2SeqModel(bundle, runners)
