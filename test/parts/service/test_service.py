"""A model in service: on its ONNX files at first, on its engines when they are there and fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.key import EngineKey
from vlm_ros.build.store import EngineStore
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import ManualClock
from vlm_ros.core.errors import BuildFailed, MissingEngine, NotEnoughMemory
from vlm_ros.core.frame import Frame
from vlm_ros.models.model import Model
from vlm_ros.service import service as service_module
from vlm_ros.service.build_news import BuildNews
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service
from vlm_ros.service.service import AS_EXPORTED, Service

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")
PICTURE = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path)


@pytest.fixture
def service(store: EngineStore) -> Service:
    return open_service(TINY, ServiceConfig(threads=1), store)


def answer(service: Service) -> str:
    return service.seat.model.observe(PICTURE).ask("What is in the image?", FreeText(16)).text


def work_until(service: Service, condition: Callable[[], Any]) -> None:
    """What the node and its worker do, again and again."""
    end_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end_s, service.health
        service.look()
        service.seat.settle()
        time.sleep(0.01)


def work_for(service: Service, duration_s: float) -> None:
    end_s = time.monotonic() + duration_s
    work_until(service, lambda: time.monotonic() > end_s)


def test_answers_are_the_same_when_the_engines_take_over(service: Service, store: EngineStore) -> None:
    before = answer(service)
    assert service.runtime == AS_EXPORTED
    assert not service.health[0]
    build_bundle(TINY, store)
    work_until(service, lambda: service.on_engines)
    assert service.health == (True, f"on {service.runtime}")
    assert answer(service) == before


def test_engines_serve_from_the_start_when_they_are_there(store: EngineStore) -> None:
    build_bundle(TINY, store)
    assert open_service(TINY, ServiceConfig(wait_for_engines=True), store).on_engines


def test_missing_engines_are_an_error_when_it_is_to_wait_for_them(store: EngineStore) -> None:
    with pytest.raises(MissingEngine, match="vlm_ros build"):
        open_service(TINY, ServiceConfig(wait_for_engines=True), store)


def test_the_old_model_goes_first_when_memory_does_not_hold_both(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = answer(service)
    build_bundle(TINY, store)
    monkeypatch.setattr(service_module, "available_bytes", lambda **_: 1_000_000)
    work_until(service, lambda: service.on_engines)
    assert "memory does not hold both models" in caplog.text
    assert answer(service) == before


def test_the_old_model_comes_back_when_the_engines_do_not_load_in_its_place(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answer(service)
    build_bundle(TINY, store)
    monkeypatch.setattr(service_module, "available_bytes", lambda **_: 1_000_000)
    loaded: list[Any] = []

    def refuse_engines(bundle: Bundle, graphs: Any, **more: Any) -> None:
        loaded.append(graphs)
        if len(loaded) == 1:
            raise NotEnoughMemory("0.01 GB are free")

    monkeypatch.setattr(service_module, "check_run_memory", refuse_engines)
    work_until(service, lambda: service.fault)
    assert service.runtime == AS_EXPORTED
    assert "0.01 GB are free" in service.health[1]
    assert answer(service) == before


def test_a_model_that_works_is_not_taken_down_for_engines_that_did_not_fit_until_more_memory_is_free(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, free_bytes = answer(service), 1_000_000
    build_bundle(TINY, store)
    real = service_module.check_run_memory

    def check(bundle: Bundle, graphs: Any, **more: Any) -> None:
        of_engines = any(path.name == "engine" for path, _ in graphs.values())
        real(bundle, graphs, free_bytes if of_engines else None, **more)

    monkeypatch.setattr(service_module, "available_bytes", lambda **_: free_bytes)
    monkeypatch.setattr(service_module, "check_run_memory", check)
    monkeypatch.setattr(service_module, "_RETRY_S", 0.0)
    work_until(service, lambda: service.fault)
    kept = service.seat.model
    work_for(service, 0.2)
    free_bytes = 1_100_000
    work_for(service, 0.2)
    assert service.seat.model is kept
    assert answer(service) == before
    free_bytes = 10**9
    work_until(service, lambda: service.on_engines)


def test_the_old_model_comes_back_whatever_keeps_the_engines_from_being_loaded(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answer(service)
    build_bundle(TINY, store)
    fail_to_load(monkeypatch, times=1)
    work_until(service, lambda: service.fault)
    assert service.health == (False, "on ONNX Runtime: the engines cannot be used: too many open files")
    assert answer(service) == before


def test_the_old_model_comes_back_where_it_could_not_be_freed(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the device is lost")

    before = answer(service)
    build_bundle(TINY, store)
    service._held.callback(fail)
    monkeypatch.setattr(service_module, "available_bytes", lambda **_: 1_000_000)
    work_until(service, lambda: service.fault)
    assert "the device is lost" in service.health[1]
    assert answer(service) == before


def test_a_model_that_is_gone_is_told_of_and_loaded_again(
    service: Service, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, clock = answer(service), ManualClock()
    monkeypatch.setattr(service, "_clock", clock)
    build_bundle(TINY, store)
    fail_to_load(monkeypatch, times=3)
    work_until(service, lambda: service.fault)
    assert not service.health[0]
    assert "no model answers" in service.health[1]
    assert "OSError: too many open files" in service.health[1]
    clock.advance(31.0)
    work_for(service, 0.1)
    assert "no model answers" in service.health[1]
    clock.advance(31.0)
    work_until(service, lambda: "no model" not in service.health[1])
    assert answer(service) == before
    assert not service.on_engines
    clock.advance(31.0)
    work_until(service, lambda: service.on_engines)


def fail_to_load(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have the next ``times`` loads fail, in a memory that does not hold two models."""
    left, real = [OSError("too many open files")] * times, service_module.load_model

    def load(*args: Any, **more: Any) -> Model:
        if left:
            raise left.pop()
        return real(*args, **more)

    monkeypatch.setattr(service_module, "load_model", load)
    monkeypatch.setattr(service_module, "available_bytes", lambda **_: 1_000_000)


def test_what_is_heard_of_the_build_is_told(service: Service) -> None:
    service.news = BuildNews(progress=0.4)
    assert service.health == (True, "on ONNX Runtime while engines are built (40%)")
    service.news = BuildNews(failure="the disk is full")
    assert service.health == (False, "on ONNX Runtime, since the engines could not be built: the disk is full")


def test_a_model_that_was_exported_anew_is_told_of_instead_of_missing_engines(tmp_path: Path) -> None:
    bundle, store = Bundle(copytree(TINY.folder, tmp_path / "tiny")), EngineStore(tmp_path / "engines")
    service = open_service(bundle, ServiceConfig(threads=1), store)
    assert "engines are missing" in service.health[1]
    graph = bundle.onnx("embed_tokens")
    another_producer = b"\x12\x01p"
    graph.write_bytes(graph.read_bytes() + another_producer)
    build_bundle(bundle, store)
    work_for(service, 0.1)
    fine, text = service.health
    assert not fine
    assert text.endswith("with a model whose ONNX files changed since: configure this node again")
    assert open_service(bundle, ServiceConfig(threads=1), store).on_engines


def test_a_failed_build_is_told_when_engines_of_an_earlier_one_answer(store: EngineStore) -> None:
    build_bundle(TINY, store)
    service = open_service(TINY, ServiceConfig(), store)
    service.news = BuildNews(failure="'q4.onnx' was made of an older graph")
    fine, text = service.health
    assert not fine
    assert "of an earlier build; the last one failed: 'q4.onnx' was made of an older graph" in text


def test_engines_that_do_not_load_are_named_and_others_in_their_place_are_taken(
    service: Service, store: EngineStore
) -> None:
    def spoil(key: EngineKey, onnx: Path, engine: Path) -> None:
        engine.write_bytes(b"no graph")

    build_bundle(TINY, store, check=spoil)
    work_until(service, lambda: service.fault)
    assert "cannot be used" in service.health[1]
    assert answer(service)
    with pytest.raises(BuildFailed):
        open_service(TINY, ServiceConfig(wait_for_engines=True), store)
    assert "cannot load" in open_service(TINY, ServiceConfig(), store).fault
    for folder, _ in store.entries():
        (folder / "engine").write_bytes(b"damaged: it is set aside and built again")
    build_bundle(TINY, store)
    work_until(service, lambda: service.on_engines)


def test_a_model_on_its_way_is_freed_when_the_service_closes(service: Service, store: EngineStore) -> None:
    build_bundle(TINY, store)
    service.look()
    service.close()
    with pytest.raises(RuntimeError, match="not active"):
        answer(service)
