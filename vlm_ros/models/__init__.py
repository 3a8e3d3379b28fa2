"""One file per model family: how vision, projector and decoder runners become ``observe`` and ``ask``."""
