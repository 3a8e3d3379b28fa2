"""From percept to wish to command: policies and the command gate. No ROS, no model."""
