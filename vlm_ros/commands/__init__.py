"""One file per command of `vlm_ros`; `cli.py` finds them here."""
