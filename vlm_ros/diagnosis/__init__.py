"""What this machine has, what does not fit together, and the line that mends it."""
