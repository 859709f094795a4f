"""The calls that only Windows has, through ctypes, in one place: ReplaceFileW, a named mutex, elevation.

Everything here does something harmless on other systems, so that callers need no branch of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

METABASE_MUTEX = r"Global\Octopus-IIS-Metabase-Mutex"
"""The mutex Octopus's IIS steps serialise on (arr.md 5.11); whoever edits IIS beside them should hold it too."""

SHARING_VIOLATIONS = frozenset({32, 33, 1224})
"""ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE: open elsewhere; a later try may do."""


def replace_file(source: Path, target: Path) -> None:
    """``source`` takes the place and name of ``target``. On Windows the target's ACL and attributes stay (arr.md 5.11).

    Raises OSError; then the target is whole under its own name, old or new.
    """
    if sys.platform == "win32":
        _replace_file_w(source, target)
    else:
        source.replace(target)


@contextmanager
def metabase_mutex(timeout: float) -> Iterator[bool]:
    """Hold ``METABASE_MUTEX`` (Windows only); yields False when it could not be had within ``timeout`` seconds."""
    if sys.platform == "win32":
        with _mutex(METABASE_MUTEX, timeout) as held:
            yield held
    else:
        yield True


def is_elevated() -> bool | None:
    """Whether this process runs as an elevated administrator (Windows) or as root; None if it cannot be told."""
    if sys.platform == "win32":
        import ctypes

        try:
            return bool(ctypes.windll.shell32.IsUserAnAdmin())
        except OSError:
            return None
    return os.geteuid() == 0


def is_32_bit_on_64(environment: Mapping[str, str] | None = None) -> bool:
    """Whether this is a 32-bit process on 64-bit Windows, to which System32 is SysWOW64 (arr.md 5.12)."""
    return "PROCESSOR_ARCHITEW6432" in (os.environ if environment is None else environment)


# -- private -------------------------------------------------------------------------------------------

if sys.platform == "win32":
    _UNABLE_TO_MOVE_REPLACEMENT_2 = 1177  # the old file now bears the backup name: give it its own name back
    _WAIT_OBJECT_0, _WAIT_ABANDONED = 0x0, 0x80
    _SYNCHRONIZE = 0x00100000

    def _replace_file_w(source: Path, target: Path) -> None:
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        # Without a backup name ERROR_UNABLE_TO_MOVE_REPLACEMENT (1176) would leave no file at all under the old name.
        aside = source.with_suffix(".old")
        if kernel.ReplaceFileW(str(target), str(source), str(aside), 0, None, None):
            with suppress(OSError):  # somebody reads it still; the file is replaced, and the next writer sweeps
                aside.unlink(missing_ok=True)
            return
        code = ctypes.get_last_error()
        if code == _UNABLE_TO_MOVE_REPLACEMENT_2:
            aside.replace(target)
        raise ctypes.WinError(code)

    @contextmanager
    def _mutex(name: str, timeout: float) -> Iterator[bool]:
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateMutexW.restype = wintypes.HANDLE
        kernel.CreateMutexW.argtypes = [wintypes.LPVOID, wintypes.BOOL, wintypes.LPCWSTR]
        kernel.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
        kernel.ReleaseMutex.argtypes = kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        kernel.OpenMutexW.restype = wintypes.HANDLE
        kernel.OpenMutexW.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR]
        # One that a service made may give administrators no more than the right to wait for it, which is enough.
        handle = kernel.CreateMutexW(None, False, name) or kernel.OpenMutexW(_SYNCHRONIZE, False, name)
        if not handle:
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            held = kernel.WaitForSingleObject(handle, int(timeout * 1000)) in (_WAIT_OBJECT_0, _WAIT_ABANDONED)
            try:
                yield held
            finally:
                if held:
                    kernel.ReleaseMutex(handle)
        finally:
            kernel.CloseHandle(handle)
