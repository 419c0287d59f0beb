"""Makes a template that stands for a real network from what an operator knows of it.

Arrows point down: verifying, building → planning → classes → recipes → inventory → levels.
"""
