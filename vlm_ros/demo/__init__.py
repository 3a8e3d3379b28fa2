"""The first two minutes: the nodes as on a robot, in a simulated room, with pictures at the end."""
