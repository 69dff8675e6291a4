//! A libpam application for tests: a transaction with a scripted conversation. The only unsafe code of the tests.
#![expect(unsafe_code, reason = "calls libpam, as an application does")]

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::path::Path;

/// PAM_SUCCESS.
pub const SUCCESS: i32 = 0;
/// PAM_PERM_DENIED.
pub const PERM_DENIED: i32 = 6;
/// PAM_AUTH_ERR.
pub const AUTH_ERR: i32 = 7;
/// PAM_AUTHINFO_UNAVAIL.
pub const AUTHINFO_UNAVAIL: i32 = 9;
/// PAM_MAXTRIES.
pub const MAXTRIES: i32 = 11;

/// What is typed at a prompt: given the prompt, the answer, or nothing at all (Ctrl-D).
pub type Typist = Box<dyn FnMut(&str) -> Option<String>>;

/// One transaction, from pam_start to pam_end.
pub struct Transaction {
    handle: *mut c_void,
    status: c_int,
    // Boxed twice: libpam keeps a thin pointer to the inner box until pam_end.
    conversation: Box<Conversation>,
}

struct Conversation {
    typist: Typist,
    shown: Vec<String>,
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
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
}

impl Transaction {
    /// Begins a transaction with the stack `service` in `confdir`.
    ///
    /// # Panics
    /// libpam refuses.
    #[must_use]
    pub fn start(confdir: &Path, service: &str, user: &str, typist: Typist) -> Self {
        let mut conversation = Box::new(Conversation { typist, shown: Vec::new() });
        let data = std::ptr::from_mut(&mut *conversation).cast::<c_void>();
        let conv = Conv { function: converse, data };
        let text = |text: &str| CString::new(text).expect("no NUL");
        let (service, user) = (text(service), text(user));
        let confdir = text(confdir.to_str().expect("UTF-8"));
        let mut handle = std::ptr::null_mut();
        // SAFETY: every pointer is to a value that lives through the call; libpam copies conv, whose data is a box
        // that this transaction keeps until pam_end.
        let code = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.as_ptr(),
                &raw const conv,
                confdir.as_ptr(),
                &raw mut handle,
            )
        };
        assert_eq!(code, SUCCESS, "pam_start_confdir");
        Self { handle, status: SUCCESS, conversation }
    }

    /// Sets PAM_RHOST.
    ///
    /// # Panics
    /// libpam refuses.
    pub fn set_rhost(&mut self, rhost: &str) {
        let rhost = CString::new(rhost).expect("no NUL");
        // SAFETY: the handle is from pam_start, the string lives through the call and is copied.
        let code = unsafe { pam_set_item(self.handle, PAM_RHOST, rhost.as_ptr().cast()) };
        assert_eq!(code, SUCCESS, "pam_set_item");
    }

    /// pam_authenticate.
    pub fn authenticate(&mut self) -> i32 {
        // SAFETY: the handle is from pam_start and not ended.
        self.status = unsafe { pam_authenticate(self.handle, 0) };
        self.status
    }

    /// pam_acct_mgmt.
    pub fn account(&mut self) -> i32 {
        // SAFETY: the handle is from pam_start and not ended.
        self.status = unsafe { pam_acct_mgmt(self.handle, 0) };
        self.status
    }

    /// pam_setcred, to establish.
    pub fn set_credentials(&mut self) -> i32 {
        // SAFETY: the handle is from pam_start and not ended.
        self.status = unsafe { pam_setcred(self.handle, PAM_ESTABLISH_CRED) };
        self.status
    }

    /// Every prompt and text shown so far.
    #[must_use]
    pub fn shown(&self) -> &[String] {
        &self.conversation.shown
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // SAFETY: the handle is from pam_start and ended only here.
        unsafe { pam_end(self.handle, self.status) };
    }
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    out: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    if count != 1 {
        return PAM_CONV_ERR;
    }
    // SAFETY: data is the box that `Transaction::start` handed over, and nobody else uses it during a call of libpam.
    let conversation = unsafe { &mut *data.cast::<Conversation>() };
    // SAFETY: libpam passes `count` messages.
    let message = unsafe { *messages };
    // SAFETY: a message is valid during the call.
    let style = unsafe { (*message).style };
    // SAFETY: as above.
    let text = unsafe { (*message).text };
    // SAFETY: a message's text is a C string.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    conversation.shown.push(text.clone());
    let asks = style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON;
    let typed = if asks { (conversation.typist)(&text) } else { None };
    let typed = typed.map(|typed| CString::new(typed).expect("no NUL"));
    // SAFETY: strdup of a C string that is alive; libpam's module frees it.
    let copy = typed.map_or(std::ptr::null_mut(), |typed| unsafe { libc::strdup(typed.as_ptr()) });
    // SAFETY: room for one response, zeroed; libpam's module frees it.
    let response = unsafe { libc::calloc(1, size_of::<Response>()) }.cast::<Response>();
    if response.is_null() {
        return PAM_CONV_ERR;
    }
    // SAFETY: just allocated and not null.
    unsafe { (*response).text = copy };
    // SAFETY: libpam passes a place for the array.
    unsafe { *out = response };
    SUCCESS
}

const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;
const PAM_CONV_ERR: c_int = 19;
const PAM_RHOST: c_int = 4;
const PAM_ESTABLISH_CRED: c_int = 2;
