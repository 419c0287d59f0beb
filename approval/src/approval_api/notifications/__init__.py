"""What people are told, where and when: channels, occasions noticed, and messages sent once."""
