"""Adapters: the places where an installer can leave a seed, and the file that says what came of it."""
