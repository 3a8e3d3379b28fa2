"""The LLaVA family: image features stand in the prompt where the image token is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.families import family_named
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import language_from_bundle
from vlm_ros.models.decoder import Decoder, Embeddings
from vlm_ros.models.observation import PrefixObservation, Speaker
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.preprocessing import Preprocessor

LLAVA_PARTS = family_named("llava").parts


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> LlavaModel:
    """The model of ``bundle``, from active runners of ``LLAVA_PARTS``."""
    return LlavaModel(bundle, runners)


class LlavaModel:
    """A loaded model; ``runners`` holds the active runners of ``LLAVA_PARTS``."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        self._runners = runners
        self._preprocess = Preprocessor.from_json(bundle.json("preprocessor_config.json"))
        self._decoder = Decoder(
            runners["embed_tokens"], runners["decoder_model_merged"], context_tokens=_context_tokens(bundle)
        )
        language = language_from_bundle(bundle, _image_id(bundle))
        self._speaker = Speaker(language, self._decoder, bundle.card.max_tokens, clock)
        _check_vocabulary(bundle, self._decoder, language.tokenizer.size)

    def observe(self, frame: Frame) -> PrefixObservation:
        """An observation of ``frame``; the work happens on the first question."""
        return PrefixObservation(frame, self._speaker, self._read_image)

    def close(self) -> None:
        """Free the runners."""
        for runner in self._runners.values():
            runner.deactivate()

    def _read_image(self, frame: Frame, before: Sequence[int]) -> KvCache:
        embeddings = self._image_embeddings(frame)
        if before:
            embeddings = np.concatenate([self._decoder.embed(before), embeddings], axis=1)
        _, cache = self._decoder.step(embeddings, self._decoder.begin())
        return cache

    def _image_embeddings(self, frame: Frame) -> Embeddings:
        """One embedding for each patch of the picture, however the encoder batches them."""
        encoder = self._runners["vision_encoder"]
        pixel_values = self._preprocess(frame.rgb).astype(encoder.inputs["pixel_values"].dtype, copy=False)
        features = encoder.run({"pixel_values": pixel_values})["image_features"]
        return features.reshape(1, -1, features.shape[-1]).astype(self._decoder.embeddings_dtype, copy=False)


def _image_id(bundle: Bundle) -> int:
    for key in ("image_token_index", "image_token_id"):
        if key in bundle.config:
            return int(bundle.config[key])
    raise BadBundle(f"'{bundle.folder}/config.json' has no image_token_index: export the bundle again")


def _context_tokens(bundle: Bundle) -> int:
    """The length that the text model was made for; configurations leave it out where it is Llama's default."""
    return int(bundle.config.get("text_config", {}).get("max_position_embeddings", 2048))


def _check_vocabulary(bundle: Bundle, decoder: Decoder, tokens: int) -> None:
    size = decoder.vocabulary_size
    if size is not None and size < tokens:
        raise BadBundle(
            f"in '{bundle.folder}' the tokenizer has {tokens} tokens and the decoder {size}: they are of two models"
        )
