"""The library that lets a program which BOLT instrumented write its counts when a signal ends it.

Such a program writes its counts when it exits, and SIGTERM does not let it. This library is preloaded in training only.
For each signal that has its default action it installs a handler, which lets the program exit; when the counts are
written, the signal acts at last. It never replaces the program's own handler: the program installs that later.

To exit from a signal handler is not safe in general, and can block for ever if the signal interrupts an allocation. The
server is then killed after its grace, and its missing counts are reported.

Sources:
    BOLT's `runtime/instr.cpp`, whose `__bolt_instr_fini` runs as the program's DT_FINI:
    https://github.com/llvm/llvm-project/blob/main/bolt/runtime/instr.cpp;
    ld.so(8), sigaction(2), signal(2), exit(3), signal-safety(7).
"""

from __future__ import annotations

CRATE = "optbuild_exit"

SOURCE = """\
#![no_std]

use core::sync::atomic::{AtomicI32, Ordering};

type Handler = extern "C" fn(i32);

extern "C" {
    fn sigaction(number: i32, new: *const usize, old: *mut usize) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn sigprocmask(how: i32, new: *const usize, old: *mut usize) -> i32;
    fn raise(number: i32) -> i32;
    fn exit(code: i32) -> !;
}

const ENDING: [i32; 4] = [1, 2, 3, 15]; // SIGHUP, SIGINT, SIGQUIT, SIGTERM
const DEFAULT: usize = 0;
const SET_MASK: i32 = 2;

static ENDED_BY: AtomicI32 = AtomicI32::new(0);

extern "C" fn end(number: i32) {
    ENDED_BY.store(number, Ordering::Relaxed);
    unsafe { exit(128 + number) }
}

extern "C" fn install() {
    for number in ENDING {
        // Larger than any system's `struct sigaction`, whose first word is the handler.
        let mut old = [1_usize; 64];
        unsafe {
            if sigaction(number, core::ptr::null(), old.as_mut_ptr()) == 0 && old[0] == DEFAULT {
                signal(number, end as Handler as usize);
            }
        }
    }
}

// After the program's own: the loader runs the ends of a program before those of what it has loaded.
extern "C" fn act() {
    let number = ENDED_BY.load(Ordering::Relaxed);
    if number != 0 {
        unsafe {
            signal(number, DEFAULT);
            sigprocmask(SET_MASK, [0_usize; 64].as_ptr(), core::ptr::null_mut());
            raise(number);
        }
    }
}

#[used]
#[link_section = ".init_array"]
static INSTALL: extern "C" fn() = install;

#[used]
#[link_section = ".fini_array"]
static ACT: extern "C" fn() = act;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
"""
