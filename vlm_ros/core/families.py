"""The families of models that this package knows: one row for each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlm_ros.core.errors import BadBundle


@dataclass(frozen=True)
class Family:
    """Models that share their parts and the way these work together.

    ``vlm_ros.models.<module>`` offers ``assemble(bundle, runners) -> Model``. Where ``exportable``,
    ``vlm_ros.export.<module>`` makes bundles of checkpoints. ``model_types`` are the values of ``model_type``
    in ``config.json`` that belong to it; where types are shared, ``architectures`` says which row it is.
    A bundle has all of ``parts`` and may have some of ``optional_parts``; where ``may_be_joint``, one graph called
    ``JOINT`` may stand for all parts.
    One run of a part takes at most ``batch`` pictures or texts.
    ``card`` holds what its model cards say (see ``core.card``) unless a bundle's own says otherwise.
    """

    module: str
    title: str
    model_types: tuple[str, ...]
    tasks: tuple[str, ...]
    parts: tuple[str, ...]
    optional_parts: tuple[str, ...] = ()
    may_be_joint: bool = False
    exportable: bool = True
    architectures: tuple[str, ...] = ()
    batch: int = 1
    card: Mapping[str, Any] = field(default_factory=dict)


JOINT = "model"
"""What exporters call a graph that takes pictures and texts together."""

COMPARED_AT_ONCE = 16
"""Pictures or texts that models which compare take in one run; more take several."""

_IN_PROMPT = ("vision_encoder", "embed_tokens", "decoder_model_merged")
"""The parts of models that read a picture in their prompt."""

FAMILIES = (
    Family(
        module="llava",
        title="LLaVA-1.5, LLaVA-Phi-3, BakLLaVA, LLaVA with Qwen2",
        model_types=("llava",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="smolvlm",
        title="SmolVLM, SmolVLM2, Idefics3",
        model_types=("smolvlm", "idefics3"),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="blip",
        title="BLIP base and large, captions",
        model_types=("blip",),
        tasks=("caption",),
        parts=("vision_encoder", "embed_tokens", "cross_attention_kv", "decoder_model_merged"),
        card={"describe_prompt": "a picture of"},
    ),
    Family(
        module="blip",
        title="BLIP base and large, questions",
        model_types=("blip",),
        architectures=("BlipForQuestionAnswering",),
        tasks=("question",),
        parts=("vision_encoder", "question_encoder", "embed_tokens", "cross_attention_kv", "decoder_model_merged"),
        card={"describe_prompt": "what is in the picture?"},
    ),
    Family(
        module="blip_matching",
        title="BLIP base and large, matching and retrieval",
        model_types=("blip",),
        architectures=("BlipForImageTextRetrieval",),
        tasks=("matching", "retrieval", "finding"),
        parts=("vision_encoder", "text_model", "fusion_model"),
        batch=COMPARED_AT_ONCE,
        card={"find_prompt": "a picture of a {target}"},
    ),
    Family(
        module="blip2",
        title="BLIP-2 with OPT, Flan-T5 or Llama, MiniGPT-4",
        model_types=("blip-2",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
        optional_parts=("encoder_model", "cross_attention_kv"),
        card={"describe_prompt": "a photo of"},
    ),
    Family(
        module="blip2_matching",
        title="BLIP-2 for image-text matching and retrieval",
        model_types=("blip-2",),
        architectures=("Blip2ForImageTextRetrieval",),
        tasks=("matching", "retrieval", "finding"),
        parts=("vision_encoder", "text_model", "fusion_model"),
        batch=COMPARED_AT_ONCE,
        card={"find_prompt": "a photo of a {target}"},
    ),
    Family(
        module="qwen2_vl",
        title="Qwen2-VL, Qwen2.5-VL",
        model_types=("qwen2_vl", "qwen2_5_vl"),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="qwen3_5",
        title="Qwen3.5",
        model_types=("qwen3_5",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="qwen3_vl",
        title="Qwen3-VL",
        model_types=("qwen3_vl",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="lfm2_vl",
        title="LFM2-VL",
        model_types=("lfm2_vl", "lfm2-vl"),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="minicpm_v2_6",
        title="MiniCPM-V 2.6",
        model_types=("minicpmv",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="minicpm_v",
        title="MiniCPM-V 4.6",
        model_types=("minicpmv4_6",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="llava_onevision",
        title="LLaVA-OneVision",
        model_types=("llava_onevision",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="internvl",
        title="InternVL3, InternVL3.5, as checkpoints named -hf",
        model_types=("internvl",),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
    ),
    Family(
        module="nanollava",
        title="nanoLLaVA, FastVLM, as ONNX bundles",
        model_types=("llava-qwen2", "llava_qwen2"),
        tasks=("caption", "question"),
        parts=_IN_PROMPT,
        exportable=False,
    ),
    Family(
        module="clip",
        title="CLIP, ViT-B/32 to L/14",
        model_types=("clip",),
        tasks=("classification", "retrieval", "finding"),
        parts=("vision_model", "text_model"),
        may_be_joint=True,
        batch=COMPARED_AT_ONCE,
        card={
            "find_prompt": "a photo of a {target}",
            "contrast_prompts": (
                *("a photo of a floor", "a photo of a wall", "a photo of an empty room", "a photo of a door"),
                *("a photo of some furniture", "a photo of something else", "a blurry photo of nothing"),
            ),
        },
    ),
    Family(
        module="chinese_clip",
        title="Chinese-CLIP",
        model_types=("chinese_clip",),
        tasks=("classification", "retrieval", "finding"),
        parts=("vision_model", "text_model"),
        may_be_joint=True,
        batch=COMPARED_AT_ONCE,
        card={
            "find_prompt": "一张{target}的照片",
            "contrast_prompts": (
                "一张地板的照片",
                "一张墙的照片",
                "一张空房间的照片",
                "一张家具的照片",
                "一张模糊的照片",
            ),
        },
    ),
)


_ALIKE = {
    **dict.fromkeys(("fast_vlm", "bunny-phi", "bunny-qwen2"), "llava_qwen2"),
    **dict.fromkeys(("paligemma", "gemma3", "gemma3n", "gemma4"), "llava_onevision"),
    **dict.fromkeys(("llava_next", "llava_mistral", "phi3_v", "phi4_multimodal", "phi4mm"), "llava_onevision"),
    **dict.fromkeys(("deepseek_vl_v2", "molmo", "ovis"), "llava_onevision"),
    **dict.fromkeys(("deepseek_vl", "deepseek_vl_hybrid", "multi_modality", "janus", "moondream1"), "llava"),
    **dict.fromkeys(("instructblip", "instructblipvideo", "florence2", "kosmos-2"), "blip-2"),
    **dict.fromkeys(("pixtral", "mistral3"), "qwen2_vl"),
    **dict.fromkeys(("glm4v", "glm4v_moe"), "qwen2_5_vl"),
    **dict.fromkeys(("got_ocr2", "aya_vision"), "internvl"),
    **dict.fromkeys(("siglip", "siglip2", "groupvit", "owlvit", "owlv2"), "clip"),
    **dict.fromkeys(("git", "vision-encoder-decoder"), "blip"),
    "minicpmo": "minicpmv",
}
"""The known type most like an unknown one, where the name tells of another: the same parts, and pictures read alike."""


def family_named(module: str) -> Family:
    """The row of ``module``; ``KeyError`` where there is none."""
    return next(family for family in FAMILIES if family.module == module)


def known_parts(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the parts of the family of ``config`` are called; none where nobody knows it."""
    family = _row_of(config)
    if family is None:
        return ()
    return (*family.parts, *family.optional_parts, *((JOINT,) if family.may_be_joint else ()))


def parts_in_joint(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts that a graph called ``JOINT`` may stand for in the family of ``config``; none in most families."""
    family = _row_of(config)
    return family.parts if family and family.may_be_joint else ()


def card_defaults(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the cards of the family of ``config`` say; nothing where nobody knows it."""
    family = _row_of(config)
    return family.card if family else {}


def batch_of(config: Mapping[str, Any]) -> int:
    """How many pictures or texts one run of the model of ``config`` may take; 1 where nobody knows it."""
    family = _row_of(config)
    return family.batch if family else 1


def family_of(config: Mapping[str, Any], folder: object) -> Family:
    """The family that the ``config.json`` of ``folder`` says it belongs to; ``BadBundle`` where nobody knows it."""
    family = _row_of(config)
    if family:
        return family
    kind = config.get("model_type")
    if not kind:
        raise BadBundle(
            f"the config.json of '{folder}' has no 'model_type', which says what model it is: copy it again from where "
            "the model comes from. `vlm_ros models` lists all that are supported"
        )
    by_type = {model_type: row for row in reversed(FAMILIES) for model_type in row.model_types}  # the first counts
    nearest = _ALIKE.get(str(kind)) or difflib.get_close_matches(str(kind), by_type, n=1, cutoff=0.0)[0]
    architectures = ", ".join(map(str, config.get("architectures") or ["none named"]))
    raise BadBundle(
        f"'{folder}' is a model of the type '{kind}' (architecture: {architectures}), which is not supported; "
        f"the nearest that is: {nearest} ({by_type[nearest].title}). `vlm_ros models` lists all"
    )


def _row_of(config: Mapping[str, Any]) -> Family | None:
    """The row of the type and, where rows share it, of the architecture."""
    rows = [family for family in FAMILIES if config.get("model_type") in family.model_types]
    named = set(config.get("architectures") or [])
    exact = [family for family in rows if named.intersection(family.architectures)]
    return next(iter([*exact, *(family for family in rows if not family.architectures)]), None)
