"""Docker Engine in memory: `engine.FakeEngine` passes the same contract tests as the real one."""
