"""The questions and answers of the demo model, as texts, and which text goes with which truth."""

from __future__ import annotations

from itertools import product

from vlm_ros.core.card import ModelCard
from vlm_ros.core.things import NOTHING
from vlm_ros.language.prompts import FIND_FORM, PATH_FORM, PATHS, POSITIONS
from vlm_ros.sim import palette, shapes
from vlm_ros.sim.caption import object_sentence, path_sentence
from vlm_ros.sim.truth import NEAR_M

COLORS, SHAPES = tuple(palette.COLORS), tuple(shapes.SHAPES)

FIND = ("where is the {target}?", "find the {target}.", "look for the {target}.", "locate the {target}.")
PRESENT = ("is there a {target}?", "do you see a {target}?", "can you see the {target}?")
PATH = ("is the path clear?", "is the way ahead free?", "can you drive straight on?")
DESCRIBE = ("describe the scene.", "what do you see?", "what is in front of you?")
COUNT = ("how many objects do you see?", "how many things are there?")
COLOR = ("what color is the {shape}?", "which color has the {shape}?")

TARGETS = (
    *(f"{color} {shape}" for color, shape in product(COLORS, SHAPES)),
    *SHAPES,
    *(f"{color} object" for color in COLORS),
)
"""Every target: the 36 names in order of colour and shape, then a shape of any colour, then a colour of any shape."""

PLACES = tuple(POSITIONS.values())
"""Bearing and range of a visible object, in the order of the answer classes 1 to 6."""

FIND_ANSWERS = FIND_FORM.options
PRESENT_ANSWERS = ("no", "yes")
PATH_ANSWERS = PATH_FORM.options
COUNT_ANSWERS = tuple(str(count) for count in range(9))
PATH_STATES = tuple(PATHS.values())

CONTENT_WORDS = (*COLORS, *SHAPES, *COUNT_ANSWERS, "no", "yes", "left", "center", "right", "near", "far", "clear",
                 "blocked", "nothing")  # fmt: skip

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<s>USER: ' }}"
    "{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<image>' }}{% else %}{{ '\\n' + item['text'] }}{% endif %}"
    "{% endfor %}"
    "{% else %}{{ '\\nASSISTANT:\\n' }}"
    "{% for item in message['content'] %}{{ item['text'] }}{% endfor %}{{ '</s>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nASSISTANT:\\n' }}{% endif %}"
)
PREFIX = "<s>USER: <image>"
"""What the template puts before every question: it ends with the image, so that all questions share it."""

PATH_THRESHOLD = 0.6
"""Chosen on development views, see engines/demo/README.md."""

CARD = ModelCard(
    describe_prompt=DESCRIBE[0],
    find_prompt=FIND[0],
    path_prompt=PATH[0],
    things_prompt=DESCRIBE[0],
    max_tokens=64,
    near_m=NEAR_M,
    path_threshold=PATH_THRESHOLD,
    target_words=(*COLORS, *SHAPES, "object"),
    target_names=(*SHAPES, "object"),
    licence="Apache-2.0",
    source="trained from scratch on simulated rooms by `./run train`",
)


def prompt(question: str) -> str:
    """What stands between the image and the answer."""
    return f"\n{question}\nASSISTANT:\n"


def described(first: bool) -> list[str]:
    """The caption's phrase for each name and place, name-major; all but the first phrase follow a space."""
    space = "" if first else " "
    return [
        space + object_sentence(f"{color} {shape}", bearing, range_)
        for color, shape in product(COLORS, SHAPES)
        for bearing, range_ in PLACES
    ]


def path_sentences() -> list[str]:
    """The caption's last sentence for each state of the path."""
    return [" " + path_sentence(state) for state in PATH_STATES]


def corpus() -> list[str]:
    """Every kind of text that the tokenizer must cover in few tokens."""
    asked = [wording.format(target=target) for wording in (*FIND, *PRESENT) for target in TARGETS]
    asked += [wording.format(shape=shape) for wording in COLOR for shape in SHAPES]
    asked += [*PATH, *DESCRIBE, *COUNT]
    answers = [*FIND_ANSWERS, *PRESENT_ANSWERS, *PATH_ANSWERS, *COUNT_ANSWERS, *COLORS, NOTHING]
    return [PREFIX + prompt(question) for question in asked] + answers + described(first=False) + path_sentences()
