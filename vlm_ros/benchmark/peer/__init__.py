"""transformers, which we measure ourselves against, and the checkpoint that both are measured on."""

from vlm_ros.core.errors import require

require("torch", "pip install 'vlm_ros[export]'")
require("transformers", "pip install 'vlm_ros[export]'")
