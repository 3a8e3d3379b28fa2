"""A DDS domain of one's own: nodes in different domains never hear each other."""

from __future__ import annotations

import os
import socket

_DOMAINS = range(1, 101)
_FIRST_PORT, _PORTS_A_DOMAIN, _FIRST_PARTICIPANT = 7400, 250, 10


def free_domain() -> int:
    """A domain nobody on this machine uses: its first participant's port is free (RTPS 2.5, 9.6.2.4)."""
    for offset in _DOMAINS:
        domain = _DOMAINS[(os.getpid() + offset) % len(_DOMAINS)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", _FIRST_PORT + _PORTS_A_DOMAIN * domain + _FIRST_PARTICIPANT))
            except OSError:
                continue
            return domain
    raise RuntimeError("every DDS domain of 1 to 100 is taken on this machine")
