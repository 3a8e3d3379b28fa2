"""A runner per vendor library, one contract, and a deterministic fake."""
