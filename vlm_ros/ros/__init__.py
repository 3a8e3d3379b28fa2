"""The rclpy glue that every node shares."""
