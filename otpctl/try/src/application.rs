//! A transaction of libpam: the few calls that this program is for.
#![expect(unsafe_code, reason = "calls libpam, as an application does")]

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;

use crate::conversation;

/// From `pam_start` to `pam_end`.
pub(crate) struct Application {
    handle: *mut c_void,
    status: c_int,
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

#[repr(C)]
struct Conv {
    function: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        confdir: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
}

impl Application {
    /// Begins with a stack of `confdir`; none if libpam cannot.
    pub(crate) fn start(confdir: &CStr, service: &CStr, user: &CStr) -> Option<Self> {
        let conv = Conv { function: converse, data: std::ptr::null_mut() };
        let mut handle = std::ptr::null_mut();
        // SAFETY: every pointer is to a value that lives through the call; libpam copies what it keeps.
        let status = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.as_ptr(),
                &raw const conv,
                confdir.as_ptr(),
                &raw mut handle,
            )
        };
        (status == PAM_SUCCESS && !handle.is_null()).then_some(Self { handle, status })
    }

    pub(crate) fn set_tty(&mut self, tty: &CStr) {
        // SAFETY: the handle is from pam_start; the string lives through the call and is copied.
        self.status = unsafe { pam_set_item(self.handle, PAM_TTY, tty.as_ptr().cast()) };
    }

    pub(crate) fn set_rhost(&mut self, rhost: &CStr) {
        // SAFETY: as above.
        self.status = unsafe { pam_set_item(self.handle, PAM_RHOST, rhost.as_ptr().cast()) };
    }

    pub(crate) fn authenticate(&mut self) -> c_int {
        // SAFETY: the handle is from pam_start and not ended.
        self.status = unsafe { pam_authenticate(self.handle, 0) };
        self.status
    }

    pub(crate) fn account(&mut self) -> c_int {
        // SAFETY: the handle is from pam_start and not ended.
        self.status = unsafe { pam_acct_mgmt(self.handle, 0) };
        self.status
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // SAFETY: the handle is from pam_start and ended only here.
        unsafe { pam_end(self.handle, self.status) };
    }
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    out: *mut *mut Response,
    _: *mut c_void,
) -> c_int {
    let Ok(number) = usize::try_from(count) else { return PAM_CONV_ERR };
    if number == 0 || number > MOST || messages.is_null() || out.is_null() {
        return PAM_CONV_ERR;
    }
    // SAFETY: room for that many, zeroed; the module that asked frees it.
    let responses = unsafe { libc::calloc(number, size_of::<Response>()) }.cast::<Response>();
    if responses.is_null() {
        return PAM_BUF_ERR;
    }
    for index in 0..number {
        // SAFETY: there are `count` pointers.
        let at = unsafe { messages.add(index) };
        // SAFETY: as above.
        let message = unsafe { *at };
        // SAFETY: a message is valid during the call.
        let style = unsafe { (*message).style };
        // SAFETY: as above.
        let text = unsafe { (*message).text };
        let text = if text.is_null() {
            String::new()
        } else {
            // SAFETY: a C string.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        if let Some(typed) =
            conversation::answer(&text, style == PAM_PROMPT_ECHO_OFF, style <= PAM_PROMPT_ECHO_ON)
        {
            // SAFETY: strndup of that many bytes; the module that asked frees it.
            let copy = unsafe { libc::strndup(typed.as_ptr().cast(), typed.len()) };
            // SAFETY: within the array.
            let slot = unsafe { responses.add(index) };
            // SAFETY: as above.
            unsafe { (*slot).text = copy };
        }
    }
    // SAFETY: libpam passes a place for the array.
    unsafe { *out = responses };
    PAM_SUCCESS
}

const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_CONV_ERR: c_int = 19;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;
/// libpam's PAM_MAX_NUM_MSG.
const MOST: usize = 32;
