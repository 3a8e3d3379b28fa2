"""Closed-loop runs over many scenes, faster than real time: success, SPL, collisions."""
