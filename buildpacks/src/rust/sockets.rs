//! wasi-libc as it comes with Rust 1.95 knows no `fcntl` of sockets, by which tokio makes those that it accepted non-blocking. Linked
//! with `--wrap=fcntl`, this does it by `ioctl`, which it knows.

use core::ffi::c_int;

const F_SETFL: c_int = 4;
const O_NONBLOCK: c_int = 4;
const FIONBIO: c_int = 2;

unsafe extern "C" {
    /// The libc's own. Variable arguments are behind a pointer in this ABI.
    fn __real_fcntl(descriptor: c_int, command: c_int, arguments: *const c_int) -> c_int;
    fn ioctl(descriptor: c_int, request: c_int, arguments: *const *const c_int) -> c_int;
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_fcntl(descriptor: c_int, command: c_int, arguments: *const c_int) -> c_int {
    // SAFETY: the caller's arguments go on as they are; F_SETFL has one.
    unsafe {
        let result = __real_fcntl(descriptor, command, arguments);
        if result != -1 || command != F_SETFL {
            return result;
        }
        let is_nonblocking = c_int::from(*arguments & O_NONBLOCK != 0);
        let argument: *const c_int = &raw const is_nonblocking;
        ioctl(descriptor, FIONBIO, &raw const argument)
    }
}
