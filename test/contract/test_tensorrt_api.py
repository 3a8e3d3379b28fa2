"""Every TensorRT name that we use is one of the real bindings, of the oldest and the newest that we support.

Nothing can be built or run with them here. What the code does with the names is tried on the emulator, whose own
signatures are held against the same bindings.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("onnx")  # the emulator reads graphs with it

from bindings.calls import call_faults  # noqa: E402
from bindings.comparing import defined_names, emulator_faults, source_faults  # noqa: E402
from bindings.real import VERSIONS, Api, NotHere, read_api  # noqa: E402
from emulator import libcuda, pycuda_driver, pycuda_tools, tensorrt  # noqa: E402

ROOMS = Path(__file__).parents[2] / "vlm_ros"
SOURCES = sorted((*(ROOMS / "runtime/tensorrt").glob("*.py"), *(ROOMS / "build/tensorrt").glob("*.py")))


@pytest.fixture(scope="module", params=VERSIONS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Api:
    try:
        return read_api(request.param, tmp_path_factory.mktemp("libraries"))
    except NotHere as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The names of PyCUDA and of the driver, and of what our own rooms define."""
    rooms = (path for room in ("core", "runtime", "build") for path in (ROOMS / room).rglob("*.py"))
    pycuda = [
        vars(libcuda.Libcuda),
        vars(pycuda_driver),
        vars(pycuda_tools),
        *map(vars, _classes(pycuda_driver)),
        *map(vars, _classes(pycuda_tools)),
    ]
    return defined_names(path.read_text() for path in rooms) | {name for names in pycuda for name in names}


def _classes(module: object) -> list[type]:
    return [value for value in vars(module).values() if isinstance(value, type)]


def test_bindings_are_those_of_the_version_when_read(api: Api) -> None:
    assert api.version.split(".")[0] in ("10", "11")
    assert len(api.classes) > 100


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_every_name_is_real_when_our_code_uses_it(source: Path, api: Api, known: set[str]) -> None:
    assert source_faults(source.read_text(), known, api) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_every_call_is_taken_when_our_code_makes_it(source: Path, api: Api) -> None:
    assert call_faults(source.read_text(), api) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("set_input_shape(name, shape)", "set_shape(name, shape)"),
        ("set_input_shape(name, shape)", "set_input_shape(name)"),
        ("set_input_shape(name, shape)", "set_input_shape(name, shape=shape, index=0)"),
        ("execute_async_v3(self._stream.handle)", "execute_v2(self._stream.handle, [])"),
        ("execute_async_v3(self._stream.handle)", "execute_async_v3()"),
        ("set_tensor_address(name, address)", "set_tensor_address(name, address, 0)"),
        ("set_optimization_profile_async(index, self._stream.handle)", "set_optimization_profile_async(index)"),
        ("engine.create_execution_context()", "engine.create_execution_contexts()"),
        ("engine.get_tensor_profile_shape(name, index)", "engine.get_tensor_profile_shape(name)"),
        ("engine.get_tensor_shape(name)", "engine.get_shape(name)"),
        ("runtime.deserialize_cuda_engine(content)", "runtime.deserialize_cuda_engine(content, log, 0)"),
        ("trt.Runtime(log)", "trt.Runtime()"),
        ("trt.OnnxParser(network, log)", "trt.OnnxParser(log)"),
        ("parser.parse_from_file(str(onnx))", "parser.parse_from_file()"),
        ("builder.build_serialized_network(network, config)", "builder.build_serialized_network(network)"),
        ("config.set_memory_pool_limit(pool, limit_bytes)", "config.set_memory_pool_limit(limit_bytes)"),
        ("config.add_optimization_profile(profile)", "config.add_optimization_profile()"),
        ("profile.set_shape(name, *_shapes(shape, sizes))", "profile.set_shapes(name, *_shapes(shape, sizes))"),
        ("config.get_timing_cache().serialize()", "config.get_timing_cache(0).serialize()"),
        ('config.create_timing_cache(b"")', "config.create_timing_cache()"),
        ("tensor.get_dimension_name(axis)", "tensor.get_dimension_name()"),
        ("fault.node_operator()", "fault.node_operator(0)"),
    ],
)
def test_check_fails_when_a_call_of_our_code_would_not_be_taken(api: Api, right: str, wrong: str) -> None:
    using = [path.read_text() for path in SOURCES if right in path.read_text()]
    assert using, f"no source says {right}"
    for text in using:
        assert call_faults(text.replace(right, wrong), api)


def test_every_name_and_signature_is_real_when_the_emulator_has_it(api: Api) -> None:
    assert emulator_faults(tensorrt, api) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("context.set_tensor_address(", "context.set_tensor_adress("),
        ("context.execute_async_v3(", "context.execute_async_v4("),
        ("trt.TensorIOMode.INPUT", "trt.TensorIOMode.INPUTS"),
        ("NetworkDefinitionCreationFlag.STRONGLY_TYPED", "NetworkDefinitionCreationFlag.STRONG"),
        ("trt.OnnxParser(", "trt.ONNXParser("),
        ("config.builder_optimization_level", "config.builder_optimisation_level"),
        ("engine.num_io_tensors", "engine.num_bindings"),
    ],
)
def test_check_fails_when_a_name_of_our_code_is_misspelt(api: Api, known: set[str], right: str, wrong: str) -> None:
    using = [path.read_text() for path in SOURCES if right in path.read_text()]
    assert using, f"no source says {right}"
    for text in using:
        misspelt = text.replace(right, wrong)
        assert source_faults(misspelt, known | defined_names([misspelt]), api)


@pytest.mark.parametrize(
    ("method", "as_misspelt"),
    [
        ("set_tensor_address", lambda self, name, address: True),
        ("set_tensor_adress", lambda self, name, memory: True),
        ("get_tensor_shape", lambda self, name, profile_index: ()),
        ("get_tensor_shape", lambda self: ()),
        ("active_optimization_profile", lambda self: 0),
    ],
)
def test_check_fails_when_the_emulator_differs(api: Api, method: str, as_misspelt: object) -> None:
    wrong = type("IExecutionContext", (), {method: as_misspelt})
    assert emulator_faults(SimpleNamespace(__all__=["IExecutionContext"], IExecutionContext=wrong), api)  # type: ignore[arg-type]


def test_check_fails_when_an_enumeration_has_what_is_gone(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        newest = read_api("11", tmp_path_factory.mktemp("libraries"))
    except NotHere as reason:
        pytest.skip(str(reason))
    for gone in ("trt.BuilderFlag.FP16", "trt.BuilderFlag.INT8", "trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        assert source_faults(f"flag = {gone}", (), newest)
