"""What a person sees and presses: messages, Ctrl-C, timings."""
