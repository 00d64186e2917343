"""The object that leaves a mark for each started process of an instrumented program, and what the marks show.

A process that is killed, or calls `_exit`, or may not open files any more, leaves no raw profile, and nothing in the
profiles of others says that it ran. Linked into instrumented builds, and into nothing else, the object's constructor
makes an empty file with the process's id for a name. It does so next to the directory that LLVM_PROFILE_FILE names, and
only where somebody has made a directory for marks there. Its destructor makes another one: where processes add their
counts to a pool of files, no raw profile has an id, and the second mark shows that they were added. A third one shows
that a process started a program again without having ended: `exec` replaced it, and what it had counted is lost.

A process that has only been forked runs no constructor, and needs no mark: its counts go to the file of the process
that it was forked from. Processes are distinguished by their ids: one that gets the id of an earlier process hides it.
The count can therefore be too low, never too high.

Sources:
    LLVM, `InstrProfilingFile.c` of compiler-rt: `%p` is replaced when the name is first read, not after a fork:
    https://github.com/llvm/llvm-project/blob/main/compiler-rt/lib/profile/InstrProfilingFile.c
    open(2), getpid(2), execve(2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CRATE = "optbuild_marks"
_SUFFIX = ".started"
_END = "e"
_REPLACED = "r"
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
const READ_ONLY: i32 = 0;
const WRITE_ONLY: i32 = 1;
#[cfg(any(target_os = "linux", target_os = "android"))]
const CREATE: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0o400 } else { 0o100 };
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CREATE: i32 = 0x200;
#[cfg(any(target_os = "linux", target_os = "android"))]
const EXCLUSIVE: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0o2000 } else { 0o200 };
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const EXCLUSIVE: i32 = 0x800;
const ROOM: usize = 4096;
const PROFILE_FILE: &[u8; 18] = b"LLVM_PROFILE_FILE\\0";
const STARTED: &[u8; 9] = b".started/";
const MOST_DIGITS: usize = 10;

// By pointers throughout: an index that is checked would need what only the standard library has.
// Opens the mark whose name is the process's id and, unless it is 0, one character more; tells whether that worked.
fn open_mark(last: u8, flags: i32) -> bool {
    let mut room = [0_u8; ROOM];
    let path = room.as_mut_ptr();
    unsafe {
        let pattern = getenv(PROFILE_FILE.as_ptr());
        if pattern.is_null() {
            return false;
        }
        let (mut length, mut end) = (0, 0);
        while *pattern.add(length) != 0 {
            if length + STARTED.len() + MOST_DIGITS + 2 >= ROOM {
                return false;
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
        *path.add(next) = last;
        *path.add(next + 1) = 0;
        let descriptor = open(path, flags, 0o644);
        if descriptor >= 0 {
            close(descriptor);
        }
        descriptor >= 0
    }
}

// Where the id has a mark already, its process either ended, and this one got its id, or was replaced by this program.
extern "C" fn mark() {
    if !open_mark(0, WRITE_ONLY | CREATE | EXCLUSIVE) && !open_mark(b'e', READ_ONLY) {
        open_mark(b'r', WRITE_ONLY | CREATE);
    }
}

// After what `atexit` has registered, and so after the counts are written; also called where a signal ends the process.
#[no_mangle]
extern "C" fn optbuild_mark_end() {
    open_mark(b'e', WRITE_ONLY | CREATE);
}

#[used]
#[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_init_func")]
#[cfg_attr(not(target_vendor = "apple"), link_section = ".init_array")]
static MARK: extern "C" fn() = mark;

#[used]
#[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_term_func")]
#[cfg_attr(not(target_vendor = "apple"), link_section = ".fini_array")]
static MARK_END: extern "C" fn() = optbuild_mark_end;
"""


def marks_directory(profiles: Path) -> Path:
    """The directory for the marks of processes that write their raw profiles to a given directory."""
    return profiles.with_name(profiles.name + _SUFFIX)


def count_started(marks: Iterable[str]) -> int:
    """How many processes have started, by the names of the marks."""
    return sum(name.isdigit() for name in marks)


def replaced_processes(marks: Iterable[str]) -> frozenset[str]:
    """The ids of processes that lost what they had counted when they replaced themselves with the same program."""
    return frozenset(name.removesuffix(_REPLACED) for name in marks if name.endswith(_REPLACED))


def lost_processes(marks: Iterable[str], raw_profiles: Iterable[str]) -> frozenset[str]:
    """The ids of processes that started and left no raw profile.

    Args:
        marks: The names of the marks.
        raw_profiles: The names of all raw profiles, including those that cannot be merged; each ends with the id of the
            process that wrote it.
    """
    came = {found["pid"] for name in raw_profiles if (found := _PROCESS.search(name))}
    return frozenset(filter(str.isdigit, marks)) - came


def unended_processes(marks: Iterable[str]) -> frozenset[str]:
    """The ids of processes that started and did not end by themselves, after which their counts are in a pool."""
    names = frozenset(marks)
    return frozenset(name for name in names if name.isdigit() and name + _END not in names)
