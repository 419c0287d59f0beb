import subprocess

from bench.machine import commit


def test_what_a_run_has_written_itself_is_no_change_of_what_it_measures(tmp_path):
    def git(*words):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    names = ("bench/results/latest.json", "docs/benchmarks.md", "docs/benchmarks/a.svg", "bench/turns.py")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=all")
    for name in names[:3]:
        (tmp_path / name).write_text("after")
    assert "changes" not in commit(tmp_path)
    (tmp_path / names[3]).write_text("after")
    assert commit(tmp_path).endswith(" and changes")
