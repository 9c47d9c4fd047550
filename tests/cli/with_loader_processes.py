"""The command ``hpo`` with two processes that load images in each trial; on a CPU Ultralytics starts none."""

from hpo.cli.main import main
from hpo.training import child
from tests.training import entries

if __name__ == "__main__":
    setattr(child, "main", entries.with_loader_processes)  # noqa: B010  (in this process alone, not in a trial's)
    main()
