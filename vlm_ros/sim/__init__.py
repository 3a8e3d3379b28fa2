"""A MuJoCo room, a robot and its camera, drawn from a seed. No ROS in it."""
