"""Is this a place where a SQLite database may live? Checked before the file is touched."""

import os
import re
import stat
from pathlib import Path

from carerespond.domain.errors import DiskFullError, NetworkDriveError, ReadOnlyError, StorageError

MOUNTS = Path("/proc/self/mountinfo")

# File systems that several hosts may mount at once; SQLite's write-ahead log needs one host's
# shared memory (https://www.sqlite.org/wal.html, section 1).
_SHARED = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2"}
    | {
        "9p",
        "virtiofs",
        "beegfs",
        "gpfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.cephfs",
        "fuse.rclone",
    }
)

_MOUNT_POINT = 4  # the field of proc_pid_mountinfo(5)
_ESCAPED = re.compile(r"\\([0-7]{3})")  # its spaces, tabs, line ends and backslashes

ROOM = 2 << 20  # bytes that a new database and its log need at first


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that a path lies on, as Linux names it; "" when unknown."""
    try:
        table = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) <= _MOUNT_POINT or not after:
            continue
        mount = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[_MOUNT_POINT])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split(" ")[0]
    return kind


def check_drive(path: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a file system that several hosts may mount.

    Raises:
        NetworkDriveError: It is one; names its type.
    """
    kind = file_system(path.parent, mounts)
    if kind in _SHARED:
        raise NetworkDriveError(
            f"{path} lies on a network drive ({kind}), where two computers could damage it.",
            "Set CARERESPOND_HOME to a folder on this computer's own disk.",
        )


def prepare(path: Path) -> None:
    """Make the folder (0700) and an empty file (0600), or check those that are there.

    Raises:
        DiskFullError: There is no room for a new database; nothing was made.
        ReadOnlyError: The folder or the file cannot be written.
        StorageError: See `check_file`.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ReadOnlyError(
            f"{path.parent}: this folder cannot be made ({error.strerror}).",
            "Set CARERESPOND_HOME to a folder that you may write to.",
        ) from error
    if not check_file(path):
        if free_bytes(path.parent) < ROOM:
            raise DiskFullError(
                f"{path}: the disk is full, so nothing can be saved.", "Free some space now."
            )
        _create(path)
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            raise ReadOnlyError(f"{place}: cannot be written.", "Check its owner and permissions.")


def free_bytes(folder: Path) -> int:
    """Room on the folder's disk; plenty where that is not known."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return ROOM
    return room.f_bavail * room.f_frsize


def check_file(path: Path) -> bool:
    """Whether the database's file is there; makes it private when others may read it.

    Raises:
        StorageError: It is a symbolic link, not a file, or somebody else's, or others may put
            another in its place.
    """
    _check_folder(path.parent)
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror}.", "Check the folder's permissions."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a file"
        raise StorageError(f"{path} is {what}.", "Put the database itself there, or remove it.")
    if status.st_uid != os.geteuid():
        raise StorageError(
            f"{path} belongs to another user of this computer.",
            "Each person has an own installation, or all share one user's terminal.",
        )
    if status.st_mode & 0o077:
        path.chmod(0o600)
    return True


def _check_folder(folder: Path) -> None:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return  # told by what is done in it next
    if stat.S_ISDIR(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StorageError(
            f"{folder} can be changed by other users of this computer.",
            f"Run: chmod go-w {folder}",
        )


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise ReadOnlyError(
            f"{path}: cannot be created ({error.strerror}).",
            "Set CARERESPOND_HOME to a folder that you may write to.",
        ) from error
