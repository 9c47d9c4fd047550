"""A SQLite file on a network disk is found by the table of mounts, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.errors import UsageError
from hpo.study.database.disks import network_disk, refuse_network_disk

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
head:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local\040disk xfs rw 0 0
mgs@tcp:/scratch /scratch lustre rw 0 0
me@host:/ /mnt/far fuse.sshfs rw 0 0
//nas/share /mnt/nas cifs rw 0 0
tmpfs /mnt/nas/over tmpfs rw 0 0
data /mnt/pool zfs rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/home/ann/runs/hpo.db", "nfs4"),
        ("/scratch/hpo.db", "lustre"),
        ("/mnt/far/a/hpo.db", "fuse.sshfs"),
        ("/mnt/nas/hpo.db", "cifs"),
        ("/home/local disk/hpo.db", None),
        ("/mnt/nas/over/hpo.db", None),
        ("/mnt/pool/hpo.db", None),
        ("/homes/hpo.db", None),
    ],
)
def test_the_nearest_mount_says_what_a_file_lies_on(file: str, kind: str | None) -> None:
    assert network_disk(Path(file), MOUNTS) == kind


def test_of_two_mounts_at_one_place_the_later_counts() -> None:
    assert network_disk(Path("/home/x"), f"{MOUNTS}/dev/sdc1 /home ext4 rw 0 0\n") is None


def test_sqlite_on_a_network_disk_is_refused_and_postgresql_is_not(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    with pytest.raises(UsageError, match=r"network disk \(nfs\).*PostgreSQL"):
        refuse_network_disk(f"sqlite:///{tmp_path}/hpo.db", mounts)
    refuse_network_disk("postgresql://u@h/d", mounts)
    refuse_network_disk(f"sqlite:///{tmp_path}/hpo.db", tmp_path / "none")
