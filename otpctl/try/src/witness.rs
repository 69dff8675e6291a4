//! `pam_otp_witness.so`: stands in the place of a module in a copied stack, asks that module, passes its answer on, and
//! writes it to standard output, which `otpctl test` reads. It adds nothing and changes nothing, so the flow is libpam's.
//!
//! Arguments: the line it stands for (`sshd:5`), the module's file, then the module's own.
#![expect(unsafe_code, reason = "calls another module, as libpam does")]

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;

use nix::unistd::write;

type Function = unsafe extern "C" fn(*mut c_void, c_int, c_int, *const *const c_char) -> c_int;

/// Asks the module that the first arguments name.
///
/// # Safety
/// The arguments are libpam's own: a handle, and `argc` C strings.
unsafe fn ask(
    symbol: &CStr,
    handle: *mut c_void,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    if argc < OWN || argv.is_null() {
        return PAM_SERVICE_ERR;
    }
    // SAFETY: there are at least two strings.
    let place = unsafe { *argv };
    // SAFETY: as above.
    let second = unsafe { argv.add(1) };
    // SAFETY: as above.
    let path = unsafe { *second };
    // SAFETY: the module's own arguments follow; with none this points just behind the array, and is not read.
    let rest = unsafe { argv.add(2) };
    // SAFETY: a C string. The module stays loaded, since its data outlives this call.
    let library = unsafe { libc::dlopen(path, libc::RTLD_NOW) };
    let found = if library.is_null() {
        std::ptr::null_mut()
    } else {
        // SAFETY: a handle of dlopen and a C string.
        unsafe { libc::dlsym(library, symbol.as_ptr()) }
    };
    let answer = if found.is_null() {
        PAM_MODULE_UNKNOWN
    } else {
        // SAFETY: what a module exports by this name has this type; a function's address is not null.
        let function = unsafe { std::mem::transmute::<*mut c_void, Function>(found) };
        // SAFETY: the arguments are libpam's, less our own two.
        unsafe { function(handle, flags, argc.saturating_sub(OWN), rest) }
    };
    // SAFETY: a C string of libpam's.
    let place = unsafe { CStr::from_ptr(place) };
    let line = format!("answer {} {answer}\n", place.to_string_lossy());
    let _ = write(std::io::stdout(), line.as_bytes());
    answer
}

/// See pam_sm_authenticate(3).
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_authenticate(
    handle: *mut c_void,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { ask(c"pam_sm_authenticate", handle, flags, argc, argv) }
}

/// See pam_sm_setcred(3). Nobody asks for credentials here, but libpam wants both.
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_setcred(
    _: *mut c_void,
    _: c_int,
    _: c_int,
    _: *const *const c_char,
) -> c_int {
    PAM_IGNORE
}

/// See pam_sm_acct_mgmt(3).
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_acct_mgmt(
    handle: *mut c_void,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { ask(c"pam_sm_acct_mgmt", handle, flags, argc, argv) }
}

/// The place and the module.
const OWN: c_int = 2;
const PAM_SERVICE_ERR: c_int = 3;
const PAM_IGNORE: c_int = 25;
const PAM_MODULE_UNKNOWN: c_int = 28;
