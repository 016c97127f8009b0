"""What a handler is given: the process context, and who is asking."""
