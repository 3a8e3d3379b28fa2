"""From a question to the text of a prompt, by the template that the model was trained with.

The environment is the one of the transformers library: templates from the hub render the same text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle

LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message.role.upper() + ': ' }}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ image_token + '\n' }}{% else %}{{ part.text + ' ' }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""What LLaVA-1.5 was trained with, for bundles that bring no template."""

BLIP2_TEMPLATE = (
    "{% for part in messages[0].content %}"
    "{% if part.type == 'image' %}{{ image_token }}{{ bos_token }}"
    "{% elif part.text == caption_prompt %}{{ part.text }}"
    "{% else %}{{ 'Question: ' + part.text + ' Answer:' }}{% endif %}"
    "{% endfor %}"
)
"""What BLIP-2 was trained with: the picture before everything, and a caption that begins like the card's prompt."""


class ChatTemplate:
    """A template, and the special tokens it may name (``bos_token`` and so on).

    Templates of text models take a message as one text: there the image token stands in front of the question.
    """

    def __init__(self, source: str, special_texts: Mapping[str, str]) -> None:
        self._special_texts = dict(special_texts)
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise BadBundle(
                f"the chat template is not valid Jinja ({error}): export or copy the bundle again"
            ) from error
        self._in_parts = self._marks_image(_parts("x")) or not self._marks_image(self._image_token)

    def render(self, question: str) -> str:
        """The prompt for ``question`` about one image. The question is data: nothing in it is evaluated."""
        try:
            return self._rendered(_parts(question) if self._in_parts else self._as_text(question))
        except Exception as error:  # a template is a program, and may raise anything
            raise BadBundle(
                f"the chat template fails on a question about one image ({type(error).__name__}: {error}): "
                "take the one that the model was published with"
            ) from error

    def _marks_image(self, content: Any) -> bool:
        """Whether the template puts the image token into the prompt, and does not print or refuse ``content``."""
        try:
            text = self._rendered(content)
        except Exception:  # as in render, which says so
            return False
        return self._image_token in text and str(_parts("x")) not in text

    @property
    def _image_token(self) -> str:
        return self._special_texts.get("image_token", "<image>")

    def _as_text(self, question: str) -> str:
        return f"{self._image_token}\n{question}"

    def _rendered(self, content: Any) -> str:
        messages = [{"role": "user", "content": content}]
        return self._template.render(
            messages=messages, tools=None, documents=None, add_generation_prompt=True, **self._special_texts
        )


def _parts(question: str) -> list[dict[str, str]]:
    """A message about one image, in parts."""
    return [{"type": "image"}, {"type": "text", "text": question}]


def template_source_from_bundle(bundle: Bundle) -> str:
    """The template that ``bundle`` brings, or the one that its family was trained with.

    Of several places the first holds in which transformers would look.
    """
    for name in ("processor_config.json", "chat_template.json", "chat_template.jinja", "tokenizer_config.json"):
        if name.endswith(".jinja"):
            if (bundle.folder / name).is_file():
                return bundle.text(name)
        elif template := bundle.optional_json(name).get("chat_template"):
            return _default_of(template, name)
    return BLIP2_TEMPLATE if bundle.optional_json("config.json").get("model_type") == "blip-2" else LLAVA_TEMPLATE


def _default_of(template: Any, file: str) -> str:
    """``template``, or of several, which have names, the one that is called ``default``."""
    found = template
    if isinstance(template, list) and all(isinstance(entry, dict) for entry in template):
        found = {str(entry.get("name")): entry.get("template") for entry in template}
    if isinstance(found, dict):
        found = found.get("default")
    if not isinstance(found, str):
        raise BadBundle(
            f"{file} has 'chat_template': {template!r:.80}, expected a text, or several of which one is called "
            "default: put the right one there"
        )
    return found


class _Generation(Extension):
    """``{% generation %}`` marks the assistant's words for training; for a prompt it is its content."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """Without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)
