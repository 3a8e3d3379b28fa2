from __future__ import annotations

import pytest

from vlm_ros.core.errors import BadBundle, BadQuestion
from vlm_ros.language.chat_template import LLAVA_TEMPLATE, ChatTemplate
from vlm_ros.language.prompt_encoder import PromptEncoder
from vlm_ros.language.tokenizer import Tokenizer


def encoder(tokenizer: Tokenizer, source: str = LLAVA_TEMPLATE) -> PromptEncoder:
    template = ChatTemplate(source, {**tokenizer.special_texts, "image_token": "<image>"})
    return PromptEncoder(tokenizer, template, tokenizer.number_of("<image>"))


def test_prompt_is_split_at_the_image_when_encoded(tokenizer: Tokenizer) -> None:
    prompt = encoder(tokenizer).encode("Is there a ball?")
    assert tokenizer.decode(prompt.before).strip() == "USER:"
    assert tokenizer.decode(prompt.after).strip() == "Is there a ball? ASSISTANT:"


def test_tokens_are_those_of_the_whole_text_when_encoded(tokenizer: Tokenizer) -> None:
    prompt = encoder(tokenizer).encode("a b")
    whole = tokenizer.encode("USER: <image>\na b ASSISTANT:", frame=True)
    assert [*prompt.before, tokenizer.number_of("<image>"), *prompt.after] == whole


def test_beginning_stands_once_when_the_template_writes_it_too(sentence_piece: Tokenizer) -> None:
    beginning = sentence_piece.number_of("<s>")
    for source in (LLAVA_TEMPLATE, "{{ bos_token }}" + LLAVA_TEMPLATE):
        assert encoder(sentence_piece, source).encode("a").before.count(beginning) == 1


def test_beginning_stands_in_front_too_when_the_template_writes_it_further_on(sentence_piece: Tokenizer) -> None:
    prompt = encoder(sentence_piece, LLAVA_TEMPLATE + "{{ bos_token }}").encode("a")
    beginning = sentence_piece.number_of("<s>")
    assert prompt.before[0] == beginning == prompt.after[-1]


def test_questions_share_what_stands_before_the_image_when_encoded(tokenizer: Tokenizer) -> None:
    prompts = encoder(tokenizer)
    assert prompts.encode("a?").before == prompts.encode("no, far").before


@pytest.mark.parametrize("question", ["", " ", "\n\t"])
def test_question_is_refused_when_empty(tokenizer: Tokenizer, question: str) -> None:
    with pytest.raises(BadQuestion, match="empty"):
        encoder(tokenizer).encode(question)


@pytest.mark.parametrize("question", ["a <image> b", "no</s>", "<s>", "<image><image>"])
def test_question_is_refused_by_name_when_it_holds_control_tokens(tokenizer: Tokenizer, question: str) -> None:
    with pytest.raises(BadQuestion, match="<image>|</s>|<s>"):
        encoder(tokenizer).encode(question)


@pytest.mark.parametrize(("question", "refused"), [("no<end>", True), ("no<pause>", False), ("far, near?", False)])
def test_end_of_an_answer_is_a_control_token_when_it_is_not_called_special(
    byte_level: Tokenizer, question: str, refused: bool
) -> None:
    declared = {str(number): {"content": text} for number, text in ((352, "<end>"), (353, "<pause>"))}
    tokenizer = Tokenizer(byte_level.to_json(), {"added_tokens_decoder": declared})
    template = ChatTemplate(LLAVA_TEMPLATE, {**byte_level.special_texts, "image_token": "<image>"})
    ends = frozenset((352, tokenizer.encode(",", frame=False)[0]))
    prompts = PromptEncoder(tokenizer, template, tokenizer.number_of("<image>"), end_ids=ends)
    if refused:
        with pytest.raises(BadQuestion, match="<end>"):
            prompts.encode(question)
    else:
        prompts.encode(question)


@pytest.mark.parametrize("question", ["<imag e>", "< s>", "a < b > c", "image", "<IMAGE>"])
def test_question_is_plain_text_when_it_only_resembles_control_tokens(tokenizer: Tokenizer, question: str) -> None:
    assert question in tokenizer.decode(encoder(tokenizer).encode(question).after)


def test_question_is_refused_when_it_completes_a_control_token_of_the_template(tokenizer: Tokenizer) -> None:
    source = "<image>{{ messages[0].content[1].text }}image> ASSISTANT:"
    with pytest.raises(BadQuestion, match="<image>"):
        encoder(tokenizer, source).encode("look: <")


@pytest.mark.parametrize(
    "source", ["{{ messages[0].content[1].text }}", "<image><image>{{ messages[0].content[1].text }}"]
)
def test_template_is_refused_when_it_places_the_image_not_once(tokenizer: Tokenizer, source: str) -> None:
    with pytest.raises(BadBundle, match="once"):
        encoder(tokenizer, source)
