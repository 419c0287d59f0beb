"""Which events are sent to whom, where and when: channels, occasions noticed, messages sent once."""
