"""The object that leaves a mark for each started process of an instrumented program, and what the marks show.

A process that is killed, calls `_exit`, or can no longer open files leaves no raw profile, and nothing in the profiles
of others says that it ran. This object is linked into instrumented builds only. Its constructor creates an empty file
named by the process's id in the directory for marks, which is next to the directory that LLVM_PROFILE_FILE names, if
somebody created it.

A process that has only been forked runs no constructor, and needs no mark: its counts go to the file of the process
that it was forked from. Processes are distinguished by their ids: one that gets the id of an earlier process hides it.
The count can therefore be too low, never too high.

Sources:
    LLVM, `InstrProfilingFile.c` of compiler-rt: `%p` is replaced when the name is first read, not after a fork:
    https://github.com/llvm/llvm-project/blob/main/compiler-rt/lib/profile/InstrProfilingFile.c
    open(2), getpid(2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CRATE = "optbuild_marks"
_SUFFIX = ".started"
_PROCESS = re.compile(r"_(?P<pid>\d+)\.profraw$")

SOURCE = """\
#![no_std]

extern "C" {
    fn getenv(name: *const u8) -> *const u8;
    fn getpid() -> i32;
    fn open(path: *const u8, flags: i32, ...) -> i32;
    fn close(descriptor: i32) -> i32;
}

// Of libc only what the profiler's runtime uses as well: a static libc brings nothing for an object that comes late.
const WRITE_ONLY: i32 = 1;
#[cfg(any(target_os = "linux", target_os = "android"))]
const CREATE: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0o400 } else { 0o100 };
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CREATE: i32 = 0x200;
const ROOM: usize = 4096;
const PROFILE_FILE: &[u8; 18] = b"LLVM_PROFILE_FILE\\0";
const STARTED: &[u8; 9] = b".started/";
const MOST_DIGITS: usize = 10;

// By pointers throughout: an index that is checked would need what only the standard library has.
extern "C" fn mark() {
    let mut room = [0_u8; ROOM];
    let path = room.as_mut_ptr();
    unsafe {
        let pattern = getenv(PROFILE_FILE.as_ptr());
        if pattern.is_null() {
            return;
        }
        let (mut length, mut end) = (0, 0);
        while *pattern.add(length) != 0 {
            if length + STARTED.len() + MOST_DIGITS + 1 >= ROOM {
                return;
            }
            if *pattern.add(length) == b'/' {
                end = length;
            }
            *path.add(length) = *pattern.add(length);
            length += 1;
        }
        let mut next = end;
        while next < end + STARTED.len() {
            *path.add(next) = *STARTED.as_ptr().add(next - end);
            next += 1;
        }
        let pid = getpid() as u32;
        let mut unit = 1_000_000_000;
        while unit > 0 {
            if pid >= unit {
                *path.add(next) = b'0' + (pid / unit % 10) as u8;
                next += 1;
            }
            unit /= 10;
        }
        *path.add(next) = 0;
        let descriptor = open(path, WRITE_ONLY | CREATE, 0o644);
        if descriptor >= 0 {
            close(descriptor);
        }
    }
}

#[used]
#[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_init_func")]
#[cfg_attr(not(target_vendor = "apple"), link_section = ".init_array")]
static MARK: extern "C" fn() = mark;
"""


def marks_directory(profiles: Path) -> Path:
    """The directory for the marks of processes that write their raw profiles to a given directory."""
    return profiles.with_name(profiles.name + _SUFFIX)


def lost_processes(marks: Iterable[str], raw_profiles: Iterable[str]) -> frozenset[str]:
    """The ids of processes that started and left no raw profile.

    Args:
        marks: The names of the marks.
        raw_profiles: The names of all raw profiles, including those that cannot be merged; each ends with the id of the
            process that wrote it.
    """
    came = {found["pid"] for name in raw_profiles if (found := _PROCESS.search(name))}
    return frozenset(marks) - came
