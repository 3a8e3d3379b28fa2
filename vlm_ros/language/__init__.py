"""Tokenizer, chat templates, constrained decoding, reading answers: text in, text out."""
