"""From a question to the tokens before and after the image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vlm_ros.core.errors import BadBundle, BadQuestion
from vlm_ros.language.chat_template import ChatTemplate
from vlm_ros.language.text import check_text
from vlm_ros.language.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """Token numbers on both sides of the place where the image goes."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class PromptEncoder:
    """Encodes questions about one image, whose place the token ``image_id`` marks.

    A template that begins with the token of the beginning places all that frames a text, and so does one that has
    this token right behind a picture in front, as BLIP-2's. ``end_ids`` are control tokens even where the tokenizer
    does not call them special, but for those that texts are made of, such as a line's end. With ``may_be_empty``
    there are prompts without a question: a picture alone asks for a caption.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        image_id: int,
        *,
        end_ids: frozenset[int] = frozenset(),
        may_be_empty: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._image_id = image_id
        self._may_be_empty = may_be_empty
        beginning = tokenizer.special_texts.get("bos_token")
        text = template.render("x").removeprefix(tokenizer.text_of(image_id))
        self._framed = not beginning or not text.startswith(beginning)
        self._control_ids = tokenizer.special_ids | {image_id} | (end_ids & tokenizer.added_ids)
        self._control_of_template = self._control(self._encode("x"))
        if self._control_of_template.count(image_id) != 1:
            raise BadBundle(
                f"the chat template places the image token '{tokenizer.text_of(image_id)}' "
                f"{self._control_of_template.count(image_id)} times for one image: it must be once"
            )

    def encode(self, question: str) -> Prompt:
        """The prompt of ``question``.

        ``BadQuestion`` where it is empty, or holds what the model reads as a control token: the template alone
        says where the image stands and where a turn ends.
        """
        check_text(question)
        if not question.strip() and not self._may_be_empty:
            raise BadQuestion("the question is empty: ask something")
        numbers = self._encode(question)
        control = self._control(numbers)
        if control != self._control_of_template:
            strange = Counter(control) - Counter(self._control_of_template)
            texts = [self._tokenizer.text_of(number) for number in strange]
            raise BadQuestion(f"the question holds {texts}, which this model reads as control tokens: leave them out")
        place = numbers.index(self._image_id)
        return Prompt(tuple(numbers[:place]), tuple(numbers[place + 1 :]))

    def _encode(self, question: str) -> list[int]:
        return self._tokenizer.encode(self._template.render(question), frame=self._framed)

    def _control(self, numbers: list[int]) -> list[int]:
        return [number for number in numbers if number in self._control_ids]
