"""Takes the first GPU's memory except for a given number of MiB, reports it, and holds it until it is killed."""

from __future__ import annotations

import sys


def main(left_mib: float) -> None:
    import torch

    torch.zeros(1, device="cuda")
    held = []
    for _ in range(3):  # an allocation is rounded up, and memory that others freed recently comes back
        free, _total = torch.cuda.mem_get_info()
        size = int(free - left_mib * 2**20)
        if size > 0:
            held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
    print("holding", flush=True)  # noqa: T201  (whoever started this one waits for it)
    sys.stdin.read()


if __name__ == "__main__":
    main(float(sys.argv[1]))
