"""The command line as a user meets it: real processes on the tiny bundle."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from vlm_ros.cli import COMMANDS

BUNDLE = Path(__file__).parents[2] / "bundles" / "tiny_llava"
CLIP = Path(__file__).parents[2] / "bundles" / "tiny_clip"
ROOM = Path(__file__).parents[2] / "images" / "room.png"
UNUSABLE = (ROOM, ROOM / "below", Path("/proc/nope"))
"""What cannot be a folder to write to."""

COMMAND = [sys.executable, "-m", "vlm_ros.cli"]
HEAVY = ("numpy", "onnxruntime", "PIL", "rich", "tokenizers", "torch", "mujoco", "rclpy")


def vlm_ros(*arguments, **variables):
    command, environment = [*COMMAND, *map(str, arguments)], {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


def test_help_names_every_command_and_imports_nothing_heavy():
    code = f"""
import sys
from vlm_ros.cli import main
try:
    main(["--help"])
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stderr.strip() == "[]"
    assert all(name in result.stdout for name in ("demo", "evaluate", "describe", "ask", "build", "export", "train"))


def test_describe_prints_text_and_says_why_it_was_cut(picture):
    result = vlm_ros("describe", picture, "--model", BUNDLE)
    assert result.returncode == 0
    assert result.stdout.strip()
    assert "length" in result.stderr


def test_describe_prints_one_line_when_json_is_asked_for(picture):
    result = vlm_ros("describe", picture, "--model", BUNDLE, "--json")
    answer = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert answer["model"] == "tiny_llava"
    assert answer["tokens"] == 128
    assert answer["finish"] == "length"
    assert 0 < answer["first_token_s"] < answer["total_s"]
    assert answer["tokens_per_s"] > 0


def test_same_picture_gets_the_same_answer(picture):
    texts = {json.loads(vlm_ros("describe", picture, "--model", BUNDLE, "--json").stdout)["text"] for _ in range(2)}
    assert len(texts) == 1


def test_answer_is_one_of_the_choices(picture):
    result = vlm_ros("ask", picture, "Is the path clear?", "--choices", "clear, blocked", "--model", BUNDLE, "--json")
    answer = json.loads(result.stdout)
    assert answer["text"] in ("clear", "blocked")
    assert answer["finish"] == "stop"
    assert 0 < answer["confidence"] <= 1


def test_answer_matches_the_regex(picture):
    result = vlm_ros("ask", picture, "How many?", "--regex", "[0-9]{2}", "--model", BUNDLE)
    assert result.stdout.strip().isdigit()
    assert len(result.stdout.strip()) == 2


@pytest.mark.parametrize("more", [(), ("--json",), ("--question", "And now?")])
def test_answer_that_ends_before_it_has_its_form_is_never_taken_for_whole(picture, more):
    result = vlm_ros("ask", picture, "How many?", "--regex", "[0-9]{400}", *more, "--model", BUNDLE)
    assert result.returncode == 1
    if more:
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        assert {answer["finish"] for answer in answers} == {"length"}
    else:
        assert "(cut after 128 tokens: length; it may lack the form that was asked for)" in result.stderr


def test_answer_fits_the_schema(picture, tmp_path):
    schema = {"type": "object", "properties": {"seen": {"type": "boolean"}}, "required": ["seen"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema | {"additionalProperties": False}))
    result = vlm_ros("ask", picture, "Ball?", "--schema", tmp_path / "schema.json", "--model", BUNDLE)
    assert isinstance(json.loads(result.stdout)["seen"], bool)


def test_answer_is_cut_when_the_deadline_has_passed(picture):
    result = vlm_ros("ask", picture, "What is this?", "--deadline", "0", "--model", BUNDLE, "--json")
    assert json.loads(result.stdout)["finish"] == "deadline"
    assert result.returncode == 0


def test_build_keeps_engines_and_finds_them_again(tmp_path):
    first = vlm_ros("build", BUNDLE, "--json", XDG_CACHE_HOME=str(tmp_path))
    engines = json.loads(first.stdout)["engines"]
    assert sorted(engines) == ["decoder_model_merged", "embed_tokens", "vision_encoder"]
    assert all(Path(engine).is_relative_to(tmp_path) and Path(engine).is_file() for engine in engines.values())
    assert "building 'vision_encoder'" in first.stderr
    second = vlm_ros("build", BUNDLE, "--json", XDG_CACHE_HOME=str(tmp_path))
    assert json.loads(second.stdout)["engines"] == engines
    assert "building" not in second.stderr


def test_missing_file_is_named_when_the_model_lacks_the_precision(tmp_path):
    result = vlm_ros("build", BUNDLE, "--precision", "q4", XDG_CACHE_HOME=str(tmp_path))
    assert result.returncode == 2
    assert "_q4.onnx" in result.stderr.splitlines()[-1]


def test_match_puts_the_text_first_that_fits_best(picture):
    texts = [f"a photo of a {colour} ball" for colour in ("blue", "red", "green")]
    result = vlm_ros("match", ROOM, picture, "--text", *texts, "--model", CLIP, "--json")
    matches = json.loads(result.stdout)["matches"]
    assert [match["image"] for match in matches] == [str(ROOM)] * 3 + [str(picture)] * 3
    assert matches[0]["text"] == texts[1]
    assert sum(match["probability"] for match in matches[:3]) == pytest.approx(1.0, abs=1e-4)
    table = vlm_ros("match", ROOM, "--text", *texts, "--model", CLIP).stdout
    assert table.index(texts[1]) < table.index(texts[0])


def test_every_question_is_asked_of_every_image_and_answered_in_order(picture):
    questions = ["Is the path clear?", "Is there a red ball, and is it near?"]
    words = [ROOM, "--image", picture, questions[0], "--question", questions[1], "--model", BUNDLE]
    together = vlm_ros("ask", *words)
    lines = [json.loads(line) for line in together.stdout.splitlines()]
    asked = [(str(image), question) for image in (ROOM, picture) for question in questions]
    assert [(line["image"], line["question"]) for line in lines] == asked, together.stderr
    one_by_one = vlm_ros("ask", *words, "--batch", "1").stdout.splitlines()
    assert [line["text"] for line in lines] == [json.loads(line)["text"] for line in one_by_one]


def test_match_sorts_pictures_for_a_single_text(picture):
    result = vlm_ros("match", picture, ROOM, "--text", "a photo of a red ball", "--model", CLIP, "--json")
    cosines = [match["cosine"] for match in json.loads(result.stdout)["matches"]]
    assert cosines == sorted(cosines, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["match", ROOM, "--text", "", "--model", CLIP], "empty"),
        (["ask", ROOM, " ", "--model", BUNDLE], "question is empty"),
        (["ask", ROOM, "?", "--question", "?", "--model", BUNDLE, "--batch", "0"], "--batch"),
        (["ask", ROOM, "?", "--question", "\udcff", "--model", BUNDLE], "no character"),
        (["ask", ROOM, "?", "--choices", "no,</s>", "--model", BUNDLE], "control tokens"),
        (["ask", ROOM, "?", "--image", __file__, "--model", BUNDLE], "test_cli.py"),
        (["ask", ROOM, "?", "--image", "nowhere.png", "--model", BUNDLE, "--batch", "1"], "nowhere.png"),
        (["ask", ROOM, "?", "--runtime", "tensorrt", "--model", BUNDLE], "tensorrt"),
        (["ask", ROOM, "?", "--runtime", "onnxruntime", "--model", BUNDLE], f"vlm_ros build {BUNDLE}"),
        (["match", ROOM, "--text", "a wall", "\udcff", "--model", CLIP], "no character"),
        (["match", ROOM, "--text", "a wall", "--model", BUNDLE], "does not compare"),
        (["describe", ROOM, "--model", CLIP], "does not speak"),
        (["describe", "nowhere.png", "--model", BUNDLE], "nowhere.png"),
        (["describe", __file__, "--model", BUNDLE], "test_cli.py"),
        (["describe", "nowhere.png", "--model", "no-such-model"], "no-such-model"),
        (["ask", "nowhere.png", "?", "--schema", "no-such-schema", "--model", BUNDLE], "no-such-schema"),
        (["build", "no-such-model"], "no-such-model"),
        *[(["validate", BUNDLE, "--images", ROOM.parent, "--out", out], str(out)) for out in UNUSABLE],
        *[(["bench", "--model", BUNDLE, "--out", out], str(out)) for out in UNUSABLE],
        *[(["evaluate", "--policy", "oracle", "--out", out], str(out)) for out in UNUSABLE],
        (["build", BUNDLE, "--batch", "0"], "--batch is 0"),
        (["build", BUNDLE, "--workspace-mb", "-5"], "--workspace-mb is -5"),
        (["export", "no-such-checkpoint", "--out", "out"], "no-such-checkpoint"),
    ],
)
def test_user_error_is_one_line_that_names_the_value(arguments, named, tmp_path):
    result = vlm_ros(*arguments, XDG_CACHE_HOME=str(tmp_path))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


def test_two_forms_are_refused(picture):
    result = vlm_ros("ask", picture, "?", "--choices", "a,b", "--regex", "a", "--model", BUNDLE)
    assert result.returncode == 2
    assert "not allowed with" in result.stderr


def test_status_is_130_and_nothing_is_said_when_interrupted(tmp_path):
    schema = tmp_path / "schema"
    os.mkfifo(schema)
    process = subprocess.Popen([*COMMAND, "ask", "x.png", "?", "--schema", schema], stderr=subprocess.PIPE, text=True)
    for _ in range(200):
        time.sleep(0.05)
        try:  # opens as soon as the command reads, and keeps it waiting
            pipe = os.open(schema, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:
            continue
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    os.close(pipe)
    assert process.returncode == 130
    assert stderr == ""


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_command_explains_its_arguments(command):
    result = vlm_ros(command, "--help")
    assert result.returncode == 0
    assert f"vlm_ros {command}" in result.stdout


@pytest.mark.parametrize("command", [["models"], ["models", "--json"], ["engines", "list", "--json"]], ids=" ".join)
def test_command_ends_quietly_when_nobody_reads_on(command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vlm_ros.cli", *command], stdout=writing, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141  # as a shell tells of a process that SIGPIPE ended


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command",
    [
        ["models"],
        ["models", "--json"],
        ["engines", "list"],
        ["describe", ROOM, "--model", BUNDLE],
        ["match", ROOM, "--text", "a wall", "--model", CLIP],
        ["evaluate", "--scenes", "1", "--policy", "blind", "--timeout", "1", "--json"],
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_output_that_finds_no_room_is_told_of_in_one_line(command):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left on device): make room, or write elsewhere" in done.stderr.splitlines()[-1]


def test_command_whose_output_is_closed_does_its_work():
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *COMMAND, "models"], stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("seconds", ["nan", "-1", "inf"])
def test_deadline_that_is_no_time_is_refused(picture, seconds):
    result = vlm_ros("ask", picture, "what?", "--model", BUNDLE, "--deadline", seconds)
    assert result.returncode == 2
    assert f"--deadline is {float(seconds)}: give 0 or more" in result.stderr


def test_picture_that_is_too_large_is_refused_in_one_line(tmp_path):
    Image.new("1", (12_000, 12_000)).save(tmp_path / "large.png")
    result = vlm_ros("ask", tmp_path / "large.png", "what?", "--model", BUNDLE)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "claims 12000 x 12000 pixels" in result.stderr


def test_models_lists_families_public_models_and_bundles():
    listed = json.loads(vlm_ros("models", "--json").stdout)
    assert {"llava"} <= {family["module"] for family in listed["families"]}
    assert all(model["weights_gb"]["q4"] < model["weights_gb"]["fp32"] for model in listed["models"])
    assert all(model["memory_gb"]["fp32"] > model["weights_gb"]["fp32"] for model in listed["models"])
    assert "demo" in listed["bundles"]
    assert 0.02 < listed["bundles_memory_gb"]["demo"]["fp32"] < 1


def test_models_are_listed_where_nothing_could_run_them():
    code = """
import sys
sys.modules["onnxruntime"] = None
from vlm_ros.cli import main
sys.exit(main(["models", "--json"]))
"""
    listed = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    assert listed["models"]
    assert listed["bundles_memory_gb"]["demo"] == {}


@pytest.mark.parametrize("columns", ["80", "300"])
def test_models_are_named_so_that_they_can_be_copied(columns):
    sources = {model["source"] for model in json.loads(vlm_ros("models", "--json").stdout)["models"]}
    lines = vlm_ros("models", COLUMNS=columns).stdout.splitlines()
    assert sources <= set(lines)
    assert max(map(len, lines)) <= int(columns)


def test_a_packed_bundle_is_verified_where_it_was_unpacked(tmp_path):
    assert vlm_ros("bundle", "pack", BUNDLE, "--out", tmp_path / "tiny.tar").returncode == 0
    assert vlm_ros("bundle", "unpack", tmp_path / "tiny.tar", "--out", tmp_path / "tiny").returncode == 0
    assert vlm_ros("bundle", "verify", tmp_path / "tiny").returncode == 0
    (tmp_path / "tiny" / "config.json").write_text("{}")
    changed = vlm_ros("bundle", "verify", tmp_path / "tiny", "--json")
    assert changed.returncode == 1
    assert json.loads(changed.stdout)["problems"] == ["config.json is damaged or was changed"]


def test_pack_refuses_a_precision_that_nobody_knows(tmp_path):
    result = vlm_ros("bundle", "pack", BUNDLE, "--out", tmp_path / "tiny.tar", "--precision", "int3")
    assert result.returncode == 2
    assert "no precision int3" in result.stderr


def test_a_bundle_without_checksums_is_verified_once_it_is_sealed(tmp_path):
    folder = shutil.copytree(BUNDLE, tmp_path / "model")
    unsealed = vlm_ros("bundle", "verify", folder)
    assert unsealed.returncode == 2
    assert f"vlm_ros bundle seal {folder}" in unsealed.stderr
    sealed = json.loads(vlm_ros("bundle", "seal", folder, "--json").stdout)
    assert "onnx/embed_tokens.onnx" in sealed["checksums"]
    assert vlm_ros("bundle", "verify", folder).returncode == 0


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "preprocessor_config.json"])
def test_pack_refuses_a_bundle_that_lacks_what_no_graph_names(tmp_path, name):
    folder = Path(shutil.copytree(BUNDLE, tmp_path / "model"))
    (folder / name).unlink()
    result = vlm_ros("bundle", "pack", folder, "--out", tmp_path / "model.tar")
    assert result.returncode == 2
    assert name in result.stderr
