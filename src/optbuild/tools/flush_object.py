"""The object that lets an instrumented program write its counts when a signal ends it.

A program writes its counts when it returns from `main` or calls `exit`. A server that is ended by SIGTERM does neither.
This object is linked into the instrumented build only. Its constructor installs a handler for each signal that has its
default action; the handler writes the counts and then lets the signal act. It never replaces the program's own handler:
the program installs that later, over this one.

Writing a file from a signal handler is not safe in general, and can block for ever if the signal interrupts an
allocation. The server is then killed after its grace, and its missing counts are reported.

Sources:
    LLVM, `InstrProfiling.h` of compiler-rt (`__llvm_profile_write_file`):
    https://github.com/llvm/llvm-project/blob/main/compiler-rt/include/profile/instr_prof_interface.h;
    sigaction(2), signal(2), signal-safety(7).
"""

from __future__ import annotations

CRATE = "optbuild_flush"

SOURCE = """\
#![no_std]

type Handler = extern "C" fn(i32);

extern "C" {
    fn sigaction(number: i32, new: *const usize, old: *mut usize) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn raise(number: i32) -> i32;
    fn __llvm_profile_write_file() -> i32;
}

const ENDING: [i32; 4] = [1, 2, 3, 15]; // SIGHUP, SIGINT, SIGQUIT, SIGTERM
const DEFAULT: usize = 0;

extern "C" fn write_and_end(number: i32) {
    unsafe {
        __llvm_profile_write_file();
        signal(number, DEFAULT);
        raise(number); // pending until this handler returns
    }
}

extern "C" fn install() {
    for number in ENDING {
        // Larger than any system's `struct sigaction`, whose first word is the handler.
        let mut old = [1_usize; 64];
        unsafe {
            if sigaction(number, core::ptr::null(), old.as_mut_ptr()) == 0 && old[0] == DEFAULT {
                signal(number, write_and_end as Handler as usize);
            }
        }
    }
}

#[used]
#[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_init_func")]
#[cfg_attr(not(target_vendor = "apple"), link_section = ".init_array")]
static INSTALL: extern "C" fn() = install;
"""
