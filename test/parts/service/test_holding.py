"""What a model in service runs on is not pruned under it."""

from __future__ import annotations

from pathlib import Path

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")


def test_engines_go_only_after_the_service_is_closed(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    build_bundle(TINY, store)
    service = open_service(TINY, ServiceConfig(), store)
    assert store.prune(lambda manifest, found_at_s: "nobody needs it") == {}
    service.close()
    assert len(store.prune(lambda manifest, found_at_s: "nobody needs it")) == 3
