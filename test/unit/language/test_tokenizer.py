from __future__ import annotations

import random
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.language.tokenizer import TextStream, Tokenizer

TEXTS = ["left, near", "é and 機 and 🤖!", "  two  spaces ", "a\nb\tc", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_text_survives_when_encoded_and_decoded(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, frame=False)) == text


def test_frame_adds_what_the_file_prescribes_when_asked(sentence_piece: Tokenizer) -> None:
    beginning = sentence_piece.number_of("<s>")
    assert sentence_piece.encode("a", frame=True) == [beginning, *sentence_piece.encode("a", frame=False)]


def test_special_tokens_are_known_by_number_and_name_when_loaded(tokenizer: Tokenizer) -> None:
    expected = {tokenizer.number_of(text) for text in ("<unk>", "<s>", "</s>", "<image>")}
    assert expected <= tokenizer.special_ids
    assert tokenizer.special_texts["bos_token"] == "<s>"
    assert tokenizer.special_texts["eos_token"] == "</s>"


def test_special_tokens_are_left_out_when_decoding(tokenizer: Tokenizer) -> None:
    end = tokenizer.number_of("</s>")
    assert tokenizer.decode([*tokenizer.encode("no", frame=False), end]) == "no"


def test_declared_tokens_are_added_when_the_vocabulary_lacks_them(byte_level: Tokenizer) -> None:
    declared = {str(byte_level.size): {"content": "<turn>", "special": True}}
    grown = Tokenizer(byte_level.to_json(), {"added_tokens_decoder": declared})
    assert grown.encode("a<turn>", frame=False)[-1] == byte_level.size
    assert byte_level.size in grown.special_ids


def test_a_declared_number_is_refused_when_it_leaves_a_gap(byte_level: Tokenizer) -> None:
    declared = {str(byte_level.size + 7): {"content": "<turn>", "special": True}}
    with pytest.raises(BadBundle, match="<turn>"):
        Tokenizer(byte_level.to_json(), {"added_tokens_decoder": declared})


def test_bundle_is_refused_by_name_when_its_tokenizer_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BadBundle, match="tokenizer.json"):
        Tokenizer.from_bundle(Bundle(tmp_path))


def test_an_unknown_number_is_refused_when_its_text_is_asked_for(byte_level: Tokenizer) -> None:
    with pytest.raises(BadBundle, match="100000"):
        byte_level.text_of(100_000)


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_pieces_make_up_the_text_when_tokens_come_one_by_one(tokenizer: Tokenizer, text: str) -> None:
    stream = TextStream(tokenizer, trim=False)
    pieces = [stream.push([number]) for number in tokenizer.encode(text, frame=False)]
    assert "".join(pieces) == stream.text == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


def test_half_a_character_is_held_back_when_its_bytes_come_apart(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer, trim=True)
    pieces = [stream.push([number]) for number in tokenizer.encode("🤖", frame=False)]
    assert [piece for piece in pieces if piece] == ["🤖"]
    assert len(pieces) >= 4


def test_a_character_cut_in_half_is_dropped_when_the_answer_ends(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer, trim=False)
    for number in tokenizer.encode("a🤖", frame=False)[:-1]:
        stream.push([number])
    assert stream.text == "a"


def test_leading_white_space_goes_and_the_rest_stays_when_trimmed(byte_level: Tokenizer) -> None:
    stream = TextStream(byte_level, trim=True)
    pieces = [stream.push([number]) for number in byte_level.encode(" \n a  b ", frame=False)]
    assert "".join(pieces) == stream.text == "a  b "


@pytest.mark.parametrize("seed", range(20))
def test_stream_agrees_with_decoding_at_once_when_tokens_are_random(byte_level: Tokenizer, seed: int) -> None:
    draw = random.Random(seed)
    numbers = [draw.randrange(byte_level.size) for _ in range(60)] + byte_level.encode("a", frame=False)
    stream = TextStream(byte_level, trim=False)
    assert "".join(stream.push([number]) for number in numbers) == byte_level.decode(numbers)


@pytest.mark.parametrize("seed", range(20))
def test_stream_agrees_with_decoding_at_once_when_words_are_random(sentence_piece: Tokenizer, seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choices(" ab, é機🤖\n", k=40))
    stream = TextStream(sentence_piece, trim=False)
    for number in sentence_piece.encode(text, frame=False):
        stream.push([number])
    assert stream.text == text
