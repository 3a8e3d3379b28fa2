"""vlm_ros: a vision-language model beside the robot's camera, in ROS 2.

Importing this package imports no vendor library; each room below imports its own
when it is entered. ``ARCHITECTURE.md`` says which room is which.
"""
