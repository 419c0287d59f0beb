"""The audit log: one line for every command, done or refused, in the transaction of what it did."""
