"""Where things lie: the repository, the programs that tests start, data beside the repository."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
PROGRAMS = TESTS / "support" / "programs"
BENCHMARKS = REPOSITORY / "benchmarks"
JOBS = REPOSITORY / "jobs"
# Not part of the repository: tests that want it skip where it is not there.
DATA = REPOSITORY.parent / "shared" / "data"
VIDEOS = DATA / "videos"
