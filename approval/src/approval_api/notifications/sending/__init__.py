"""Sends notifications, inside the process that delivers: one message for what a channel gathered."""
