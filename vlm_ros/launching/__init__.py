"""What the launch files share. All but ``arguments`` needs ``launch`` and ``launch_ros``, of Humble or later."""
