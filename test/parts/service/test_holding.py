"""What a model in service runs on is not pruned under it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.key import EngineKey
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.service import service as service_module
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service
from vlm_ros.service.service import Service

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")


def test_engines_go_only_after_the_service_is_closed(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    build_bundle(TINY, store)
    service = open_service(TINY, ServiceConfig(), store)
    assert store.prune(lambda manifest, found_at_s: "nobody needs it") == {}
    service.close()
    assert len(store.prune(lambda manifest, found_at_s: "nobody needs it")) == 3


def test_engines_are_free_again_when_the_service_closes_before_it_could_load_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, closed = EngineStore(tmp_path), threading.Event()
    service = open_service(TINY, ServiceConfig(threads=1), store)
    build_bundle(TINY, store)
    monkeypatch.setattr(service, "_fits_beside", lambda graphs: closed.wait(10.0))
    service.look()
    service.close()
    closed.set()
    wait_for(service)
    assert len(store.prune(lambda manifest, found_at_s: "nobody needs it")) == 3


def test_engines_that_cannot_be_loaded_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(key: EngineKey, onnx: Path, engine: Path) -> None:
        engine.write_bytes(b"no graph")

    monkeypatch.setattr(service_module, "_RETRY_S", 0.0)
    store = EngineStore(tmp_path)
    service = open_service(TINY, ServiceConfig(threads=1), store)
    build_bundle(TINY, store, check=spoil)
    open_files = []
    for _ in range(3):
        service.look()
        wait_for(service)
        assert "cannot be used" in service.fault
        open_files.append(len(list(Path("/proc/self/fd").iterdir())))
    assert open_files[0] == open_files[-1]
    assert len(store.prune(lambda manifest, found_at_s: "nobody needs it")) == 3


def wait_for(service: Service) -> None:
    """Until the thread that loads engines has ended."""
    assert service._loading is not None
    service._loading.join(20.0)
    assert not service._loading.is_alive()
