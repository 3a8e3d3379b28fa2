"""A process that measures transformers: ``python -m vlm_ros.benchmark.peer JOB``."""

from __future__ import annotations

import sys

from vlm_ros.benchmark.job import job_from_text, text_of
from vlm_ros.benchmark.peer.measuring import measure
from vlm_ros.benchmark.process import pin

job = job_from_text(sys.argv[1])
pin(job.threads)
print(text_of(measure(job)))
