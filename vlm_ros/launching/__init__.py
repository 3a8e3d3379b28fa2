"""What the launch files share. ``arguments`` and ``transport`` are plain; the rest needs ``launch``."""
