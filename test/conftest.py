"""What all tests rely on."""

import signal

# A shell that starts us in the background has us ignore SIGINT, and our children with us: tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
