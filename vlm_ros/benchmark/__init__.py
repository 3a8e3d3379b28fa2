"""How fast a model answers here and what memory it takes, against transformers on the same weights in the same run."""
