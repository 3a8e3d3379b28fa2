from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.language.chat_template import LLAVA_TEMPLATE, ChatTemplate, template_source_from_bundle

IMAGE = {"image_token": "<image>"}


def rendered(source: str, question: str = "What?", **special_texts: str) -> str:
    return ChatTemplate(source, special_texts).render(question)


@pytest.mark.parametrize(
    "source",
    ["{{ 'USER: ' + messages[0].content }}", "{{ 'USER: ' ~ messages[0]['content'] }}"],
    ids=["refuses parts", "prints parts"],
)
def test_image_stands_before_the_question_when_the_template_takes_plain_text(source: str) -> None:
    assert rendered(source, "What? [x]", **IMAGE) == "USER: <image>\nWhat? [x]"


def test_llava_prompt_is_the_published_one_when_the_bundle_has_no_template(tmp_path: Path) -> None:
    template = ChatTemplate(template_source_from_bundle(Bundle(tmp_path)), IMAGE)
    assert template.render("What is there?") == "USER: <image>\nWhat is there? ASSISTANT:"


@pytest.mark.parametrize("question", ["{{ 7 * 7 }}", "{% raw %}", "{# gone #}", "{target}", "a\\nb", "<b>&amp;'\""])
def test_question_stays_word_for_word_when_it_looks_like_code(question: str) -> None:
    assert rendered(LLAVA_TEMPLATE, question, **IMAGE) == f"USER: <image>\n{question} ASSISTANT:"


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        ("{{ bos_token }}{{ messages[0]['content'][1]['text'] }}", "<s>What?"),
        ("{% if tools is not none %}tools{% endif %}{{ messages|length }}", "1"),
        ("a\n  {% if add_generation_prompt %}\nb\n  {% endif %}\nc", "a\nb\nc"),
        ("{% generation %}{{ messages[0].role }}{% endgeneration %}!", "user!"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{{ {'b': '<é>', 'a': 1} | tojson }}", '{"b": "<é>", "a": 1}'),
        ("{{ {'b': 2, 'a': 1} | tojson(sort_keys=true, separators=(',', ':')) }}", '{"a":1,"b":2}'),
        ("{{ strftime_now('%Y') | length }}", "4"),
    ],
    ids=["special tokens", "no tools", "blocks", "generation", "break", "tojson", "tojson options", "clock"],
)
def test_template_renders_as_in_transformers_when_it_uses_its_features(source: str, prompt: str) -> None:
    assert rendered(source, bos_token="<s>") == prompt


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('no images here') }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 'a' + messages[0] }}",
        "{{ missing.field }}",
    ],
    ids=["refuses", "mutates", "escapes", "mistypes", "undefined"],
)
def test_template_is_refused_when_it_fails_or_leaves_the_sandbox(source: str) -> None:
    with pytest.raises(BadBundle, match="chat template"):
        rendered(source)


def test_template_is_refused_when_it_is_not_jinja() -> None:
    with pytest.raises(BadBundle, match="Jinja"):
        ChatTemplate("{% for %}", {})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("processor_config.json", json.dumps({"chat_template": "found"})),
        ("chat_template.jinja", "found"),
        ("chat_template.json", json.dumps({"chat_template": "found"})),
        ("tokenizer_config.json", json.dumps({"chat_template": "found"})),
        (
            "tokenizer_config.json",
            json.dumps({"chat_template": [{"name": "rag", "template": "x"}, {"name": "default", "template": "found"}]}),
        ),
    ],
    ids=["processor", "jinja", "json", "tokenizer", "named"],
)
def test_template_is_found_when_the_bundle_keeps_it_in_any_usual_place(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert template_source_from_bundle(Bundle(tmp_path)) == "found"


def test_template_is_the_one_that_transformers_takes_when_there_are_several(tmp_path: Path) -> None:
    names = ("processor_config.json", "chat_template.json", "chat_template.jinja", "tokenizer_config.json")
    for name in names:
        (tmp_path / name).write_text(name if name.endswith(".jinja") else json.dumps({"chat_template": name}))
    for name in names:
        assert template_source_from_bundle(Bundle(tmp_path)) == name
        (tmp_path / name).unlink()
