"""From text to token numbers and back, with the ``tokenizers`` library alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, require
from vlm_ros.language import wordpiece

tokenizers = require("tokenizers", "pip install tokenizers")

_HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_MOST_TOKENS = 1 << 32
"""The library counts so far."""

_OTHER_FORMATS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "tiktoken.model")
_ADDED_TOKEN_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


class Tokenizer:
    """The vocabulary of one model.

    ``text`` is the content of ``tokenizer.json``, ``config`` that of ``tokenizer_config.json``, which names the
    special tokens and may add some that the former lacks.
    """

    def __init__(self, text: str, config: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_str(text)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._add_declared_tokens(config.get("added_tokens_decoder", {}))
        added = self._tokenizer.get_added_tokens_decoder()
        self.added_ids = frozenset(added)
        """Tokens beside those that text is made of, not all of them special."""
        self.special_ids = frozenset(number for number, token in added.items() if token.special)
        self.special_texts = {
            name: value if isinstance(value, str) else value["content"]
            for name, value in config.items()
            if name.endswith("_token") and isinstance(value, (str, dict))
        }

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Tokenizer:
        """The tokenizer of ``bundle``; ``BadBundle`` where its files cannot be read."""
        config = bundle.optional_json("tokenizer_config.json")
        words = bundle.folder / wordpiece.FILE
        of_words = words.is_file() and not (bundle.folder / "tokenizer.json").is_file()
        path = words if of_words else _checked(bundle)
        try:
            if of_words:
                return cls(wordpiece.tokenizer_json_from_vocab(path, config), {**wordpiece.SPECIAL, **config})
            return cls(bundle.text(path.name), config)
        except BadBundle:
            raise
        except Exception as error:  # the library raises plain Exception
            raise BadBundle(f"'{path}' is no tokenizer ({error}): export or copy the bundle again") from error

    @property
    def size(self) -> int:
        """How many tokens there are, special ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str, *, frame: bool) -> list[int]:
        """The token numbers of ``text``, its special tokens included.

        With ``frame`` the tokens that the model expects around every text are added, as the file prescribes.
        """
        return list(self._tokenizer.encode(text, add_special_tokens=frame).ids)

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of ``numbers``, special tokens left out."""
        return str(self._tokenizer.decode(numbers, skip_special_tokens=True))

    def text_of(self, number: int) -> str:
        """The text that stands for one token in ``tokenizer.json``."""
        text = self._tokenizer.id_to_token(number)
        if text is None:
            raise BadBundle(f"the vocabulary of {self.size} tokens has no number {number}: export the bundle again")
        return str(text)

    def knows(self, number: int) -> bool:
        """Whether there is a token of this number."""
        return 0 <= number < _MOST_TOKENS and self._tokenizer.id_to_token(number) is not None

    def number_of(self, text: str) -> int | None:
        """The number of the token that ``text`` stands for, ``None`` where there is no such token."""
        number: int | None = self._tokenizer.token_to_id(text)
        return number

    def number_made_of(self, text: str) -> int:
        """As ``number_of``; where there is no such token, ``text`` becomes one, past the model's own."""
        self._tokenizer.add_special_tokens([text])
        number = int(self._tokenizer.token_to_id(text))
        self.special_ids |= {number}
        return number

    def to_json(self) -> str:
        """The whole tokenizer in the format of ``tokenizer.json``."""
        return str(self._tokenizer.to_str())

    def _add_declared_tokens(self, declared: Mapping[str, Mapping[str, Any]]) -> None:
        known = self._tokenizer.get_added_tokens_decoder()
        for number, facts in _declared(declared):
            if number not in known:
                flags = {flag: facts[flag] for flag in _ADDED_TOKEN_FLAGS if flag in facts}
                self._tokenizer.add_tokens([tokenizers.AddedToken(facts["content"], **flags)])
                if self.number_of(facts["content"]) != number:
                    raise BadBundle(f"token '{facts['content']}' cannot have the number {number} of its declaration")


def _checked(bundle: Bundle) -> Path:
    """The path of ``tokenizer.json``; ``BadBundle`` says how to make one of what the bundle has instead."""
    others = [name for name in _OTHER_FORMATS if (bundle.folder / name).is_file()]
    if others and not (bundle.folder / "tokenizer.json").is_file():
        raise BadBundle(
            f"the bundle '{bundle.folder}' has its tokenizer as '{others[0]}' and lacks 'tokenizer.json': make it with "
            "transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    return bundle.file("tokenizer.json")


def _declared(declared: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """The tokens of ``added_tokens_decoder`` by number; ``BadBundle`` where it is no table of them."""
    table = declared if isinstance(declared, dict) else {"": declared}
    for key, facts in table.items():
        if not key.isdigit() or not isinstance(facts, dict) or not isinstance(facts.get("content"), str):
            raise BadBundle(
                f"tokenizer_config.json has 'added_tokens_decoder' with {key!r}: {facts!r:.80}, expected the number of "
                "a token and its content: export or copy the bundle again"
            )
    return sorted(((int(key), facts) for key, facts in table.items()), key=lambda entry: entry[0])


class TextStream:
    """The text of tokens as they come, in pieces that never hold half a character.

    With ``trim``, white space in front of the text is dropped.
    """

    def __init__(self, tokenizer: Tokenizer, *, trim: bool) -> None:
        self._tokenizer = tokenizer
        self._numbers: list[int] = []
        self._start = 0
        self._shown = 0
        self._trim = trim
        self.text = ""

    def push(self, numbers: Iterable[int]) -> str:
        """The piece of text that ``numbers`` complete, which may be empty; also appended to ``text``.

        How a token reads may depend on the one before it, so the last shown tokens are decoded again with the new.
        """
        self._numbers.extend(numbers)
        before = self._tokenizer.decode(self._numbers[self._start : self._shown])
        now = self._tokenizer.decode(self._numbers[self._start :])
        if now.endswith(_HALF_CHARACTER):
            return ""
        piece = now[len(before) :]
        if piece:  # a token that shows nothing says nothing of how the next one reads
            self._start = self._shown
        self._shown = len(self._numbers)
        if self._trim and not self.text:
            piece = piece.lstrip()
        self.text += piece
        return piece
