"""``vlm_ros engines``: what the engine store holds, whether it is whole, and what nobody needs any more."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vlm_ros.build.manifest import Manifest
from vlm_ros.build.needs import Devices, sources_of, unneeded_by, usable
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import devices_here
from vlm_ros.commands.bounds import at_least
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.places import find_bundle, shipped_bundles

DAMAGED = 1
_DAY_S = 86400.0
_WIDE = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "list: what is there. verify: read every byte and set bad engines aside; status 1 where there were any. "
        "prune: remove what no model or device here needs; what a running node holds stays."
    )
    parser.add_argument("what", choices=("list", "verify", "prune"))
    parser.add_argument("--dry-run", action="store_true", help="prune: only say what would go")
    parser.add_argument("--model", action="append", default=[], metavar="BUNDLE", help="prune: another model to keep")
    parser.add_argument(
        "--unused-days",
        type=float,
        default=30.0,
        metavar="N",
        help="prune: when engines of models that are not under engines/ go, counted from their last use (default: 30)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """List, verify or prune."""
    store = EngineStore()
    if arguments.what == "verify":
        return _verify(store, arguments.json)
    if arguments.what == "prune":
        return _prune(store, arguments)
    return _list(store, arguments.json)


def _list(store: EngineStore, as_json: bool) -> int:
    devices = devices_here()
    rows = [_facts(folder, manifest, devices) for folder, manifest in store.entries()]
    if as_json:
        print(json.dumps({"store": str(store.folder), "engines": rows}))
    else:
        _show(store, rows)
    return 0


def _facts(folder: Path, manifest: Manifest, devices: Devices) -> dict[str, Any]:
    key = manifest.key
    return {
        "key": folder.name,
        "part": key.part,
        "precision": key.precision,
        "runtime": key.runtime,
        "device": key.device,
        "shapes": key.shapes,
        "size_bytes": manifest.total_bytes,
        "built_at": datetime.fromtimestamp(manifest.built_at_s, timezone.utc).isoformat(timespec="seconds"),
        "build_s": round(manifest.build_s, 3),
        "usable_here": usable(manifest, devices),
    }


def _show(store: EngineStore, rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("key", "precision", "runtime", "device", "MB", "built (UTC)", "usable here")
    table.columns[0].no_wrap = True  # a key that is cut names nothing
    for row in rows:
        size, built = f"{row['size_bytes'] / 1e6:.2f}", row["built_at"][:16].replace("T", " ")
        here = "yes" if row["usable_here"] else "no"
        table.add_row(row["key"], row["precision"], row["runtime"], row["device"], size, built, here)
    console = Console()
    console.width = max(console.width, _WIDE)
    if rows:
        console.print(table)
    print(f"{len(rows)} engines, {sum(row['size_bytes'] for row in rows) / 1e6:.2f} MB in {store.folder}")


def _verify(store: EngineStore, as_json: bool) -> int:
    """Engines that are bad go to quarantine, so that the next build makes them anew."""
    count, faults = len(store.entries()), store.verify()
    trouble = _set_aside(store) if faults else ""
    if as_json:
        bad = {folder.name: fault for folder, fault in faults.items()}
        print(json.dumps({"engines": count, "bad": bad, "not_set_aside": trouble}))
    elif faults:
        _tell(faults)
        print(trouble or f"{len(faults)} set aside: the next build makes them anew")
    else:
        print(f"{count} engines, every byte is right")
    return DAMAGED if faults else 0


def _set_aside(store: EngineStore) -> str:
    """Why that was not possible: a store may come with a read-only image."""
    try:
        store.quarantine()
    except BuildFailed as error:
        return str(error)
    return ""


def _prune(store: EngineStore, arguments: argparse.Namespace) -> int:
    at_least(0, "--unused-days", arguments.unused_days)
    folders = [*shipped_bundles().values(), *map(find_bundle, arguments.model)]
    unneeded = unneeded_by(devices_here(), sources_of(map(Bundle, folders)), arguments.unused_days * _DAY_S)
    gone = store.prune(unneeded, dry_run=arguments.dry_run)
    if arguments.json:
        removed = {folder.name: reason for folder, reason in gone.items()}
        print(json.dumps({"dry_run": arguments.dry_run, "removed": removed}))
        return 0
    _tell(gone)
    print(f"{len(gone)} {'would go' if arguments.dry_run else 'removed'}, {len(store.entries())} engines are there")
    return 0


def _tell(reasons: Mapping[Path, str]) -> None:
    for folder, reason in reasons.items():
        print(f"{folder.name}: {reason}")
