//! A PAM application: real libpam, and a person whose replies are scripted.

#![expect(unsafe_code, reason = "calls libpam")]

use std::collections::VecDeque;
use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::path::Path;
use std::ptr;

use nix::errno::Errno;

use crate::hook::Hook;

pub(crate) const SUCCESS: c_int = 0;
pub(crate) const SERVICE_ERR: c_int = 3;
pub(crate) const PERM_DENIED: c_int = 6;
pub(crate) const AUTH_ERR: c_int = 7;
pub(crate) const AUTHINFO_UNAVAIL: c_int = 9;
pub(crate) const MAXTRIES: c_int = 11;
pub(crate) const CONV_ERR: c_int = 19;
pub(crate) const ABORT: c_int = 26;

pub(crate) const SILENT: c_int = 0x8000;

pub(crate) const ECHO_OFF: c_int = 1;
pub(crate) const ERROR_MSG: c_int = 3;
pub(crate) const TEXT_INFO: c_int = 4;

pub(crate) const USER: c_int = 2;
pub(crate) const TTY: c_int = 3;
pub(crate) const RHOST: c_int = 4;

/// What the application does with a prompt.
pub(crate) enum Reply {
    /// Passes on what was typed.
    Types(&'static [u8]),
    /// Passes on this text with every bit changed, which was nowhere in memory before.
    Unmasks(&'static [u8]),
    /// Says success and gives no text, as pamtester at the end of its input.
    Null,
    /// Says success and gives no reply at all.
    Nothing,
    /// Fails.
    Fails,
    /// Returns this code, and an array that must not be looked at.
    Returns(c_int),
    /// Changes PAM_USER, then passes on what was typed.
    Renames(&'static CStr, &'static [u8]),
}

/// The person and what they saw.
struct Person {
    pamh: *mut c_void,
    replies: VecDeque<Reply>,
    heard: Vec<(c_int, String)>,
    shows_texts: bool,
}

/// One transaction.
pub(crate) struct Application {
    pamh: *mut c_void,
    person: *mut Person,
}

impl Application {
    /// Begins a login of `user` to the service `otp` in `services`.
    pub(crate) fn start(services: &Path, user: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = replies.into_iter().collect();
        let person = Person { pamh: ptr::null_mut(), replies, heard: Vec::new(), shows_texts: true };
        let person = Box::into_raw(Box::new(person));
        let conversation = Conversation { converse, person: person.cast() };
        let services = CString::new(services.to_str().unwrap()).unwrap();
        let user = CString::new(user).unwrap();
        let mut pamh = ptr::null_mut();
        // SAFETY: all strings end with NUL; libpam copies them and the conversation; `person` lives until drop.
        let code = unsafe {
            pam_start_confdir(
                c"otp".as_ptr(),
                user.as_ptr(),
                &raw const conversation,
                services.as_ptr(),
                &raw mut pamh,
            )
        };
        assert_eq!(code, SUCCESS);
        // SAFETY: made above, and libpam is not running.
        unsafe { (*person).pamh = pamh };
        Self { pamh, person }
    }

    pub(crate) fn authenticate(&mut self, flags: c_int) -> c_int {
        // SAFETY: the handle is live until drop.
        unsafe { pam_authenticate(self.pamh, flags) }
    }

    pub(crate) fn account(&mut self) -> c_int {
        // SAFETY: the handle is live until drop.
        unsafe { pam_acct_mgmt(self.pamh, 0) }
    }

    pub(crate) fn setcred(&mut self) -> c_int {
        // SAFETY: the handle is live until drop.
        unsafe { pam_setcred(self.pamh, ESTABLISH_CRED) }
    }

    /// Calls the module's own `pam_sm_acct_mgmt`, since libpam changes errno behind it, and returns its code and errno.
    pub(crate) fn account_directly(&mut self, module: &Path, options: &CStr, errno: c_int) -> (c_int, c_int) {
        let words = [options.as_ptr()];
        let hook = Hook::open(module, c"pam_sm_acct_mgmt");
        Errno::set_raw(errno);
        // SAFETY: the handle is live and there is one word, which ends with NUL.
        let code = unsafe { hook.call(self.pamh, 0, 1, words.as_ptr()) };
        (code, Errno::last_raw())
    }

    /// Calls a hook of the module with a number of words and the words, which need not fit.
    ///
    /// # Safety
    /// `words` is null, or as many pointers as `count`, each null or a string that ends with NUL.
    pub(crate) unsafe fn call(&mut self, hook: &Hook, count: c_int, words: *const *const c_char) -> c_int {
        // SAFETY: the handle is live; the rest is the caller's promise.
        unsafe { hook.call(self.pamh, 0, count, words) }
    }

    /// From now on the application fails at every text that is no prompt, as Apache's does.
    pub(crate) fn show_no_texts(&mut self) {
        // SAFETY: libpam is not running, and the person lives until drop.
        unsafe { (*self.person).shows_texts = false };
    }

    /// Takes away the function that converses.
    pub(crate) fn fall_silent(&mut self) {
        let none = NoConversation { converse: None, person: ptr::null_mut() };
        // SAFETY: the handle is live, and libpam copies the structure.
        let code = unsafe { pam_set_item(self.pamh, CONV, (&raw const none).cast()) };
        assert_eq!(code, SUCCESS);
    }

    pub(crate) fn set(&mut self, item: c_int, value: &CStr) {
        // SAFETY: the handle is live, and libpam copies the string.
        let code = unsafe { pam_set_item(self.pamh, item, value.as_ptr().cast()) };
        assert_eq!(code, SUCCESS);
    }

    pub(crate) fn put_environment(&mut self, assignment: &CStr) {
        // SAFETY: the handle is live, and libpam copies the string.
        assert_eq!(unsafe { pam_putenv(self.pamh, assignment.as_ptr()) }, SUCCESS);
    }

    /// Every prompt and text so far: style and words.
    pub(crate) fn heard(&self) -> &[(c_int, String)] {
        // SAFETY: libpam, which alone writes to it, is not running; the person lives until drop.
        let person = unsafe { &*self.person };
        &person.heard
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // SAFETY: the handle is live and never used again.
        unsafe { pam_end(self.pamh, SUCCESS) };
        // SAFETY: made by `Box::into_raw`, and libpam has forgotten it.
        let person = unsafe { Box::from_raw(self.person) };
        assert!(std::thread::panicking() || person.replies.is_empty(), "a scripted reply was not asked for");
    }
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    out: *mut *mut Response,
    person: *mut c_void,
) -> c_int {
    if count != 1 {
        return CONV_ERR;
    }
    // SAFETY: libpam passes back the person that `start` gave it, and nobody else uses it meanwhile.
    let person = unsafe { &mut *person.cast::<Person>() };
    // SAFETY: the array has `count` members.
    let message = unsafe { *messages };
    // SAFETY: the module gives a message that lives as long as this call.
    let message = unsafe { &*message };
    // SAFETY: its text ends with NUL.
    let text = unsafe { CStr::from_ptr(message.text) };
    person.heard.push((message.style, text.to_string_lossy().into_owned()));
    if message.style > 2 && !person.shows_texts {
        return CONV_ERR;
    }
    let typed = if message.style > 2 { None } else { person.replies.pop_front() };
    let text = match typed {
        None if message.style > 2 => ptr::null_mut(),
        None | Some(Reply::Fails) => return CONV_ERR,
        Some(Reply::Returns(code)) => {
            // SAFETY: where the module wants the reply; whoever reads through it crashes.
            unsafe { *out = ptr::without_provenance_mut(8) };
            return code;
        }
        Some(Reply::Nothing) => return SUCCESS,
        Some(Reply::Null) => ptr::null_mut(),
        Some(Reply::Types(typed)) => copied(typed),
        Some(Reply::Unmasks(masked)) => unmasked(masked),
        Some(Reply::Renames(user, typed)) => {
            // SAFETY: the handle is live, and libpam copies the string.
            unsafe { pam_set_item(person.pamh, USER, user.as_ptr().cast()) };
            copied(typed)
        }
    };
    // SAFETY: plain allocation; the module frees it.
    let response = unsafe { libc::calloc(1, size_of::<Response>()) }.cast::<Response>();
    // SAFETY: just allocated, of the right size and alignment.
    unsafe { response.write(Response { text, code: 0 }) };
    // SAFETY: where the module wants the reply.
    unsafe { *out = response };
    SUCCESS
}

fn copied(typed: &[u8]) -> *mut c_char {
    let typed = CString::new(typed).unwrap();
    // SAFETY: ends with NUL; the module frees the copy.
    unsafe { libc::strdup(typed.as_ptr()) }
}

/// Straight into what the module frees.
fn unmasked(masked: &[u8]) -> *mut c_char {
    // SAFETY: plain allocation, zeroed, with room for a NUL.
    let text = unsafe { libc::calloc(2, masked.len()) }.cast::<u8>();
    for (index, byte) in masked.iter().enumerate() {
        // SAFETY: inside the allocation.
        let place = unsafe { text.add(index) };
        // SAFETY: just allocated.
        unsafe { place.write(!byte) };
    }
    text.cast()
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
struct Conversation {
    converse: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    person: *mut c_void,
}

#[repr(C)]
struct NoConversation {
    converse: Option<extern "C" fn()>,
    person: *mut c_void,
}

const CONV: c_int = 5;
const ESTABLISH_CRED: c_int = 2;

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        services: *const c_char,
        pamh: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(pamh: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(pamh: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(pamh: *mut c_void, flags: c_int) -> c_int;
    fn pam_set_item(pamh: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_putenv(pamh: *mut c_void, assignment: *const c_char) -> c_int;
    fn pam_end(pamh: *mut c_void, status: c_int) -> c_int;
}
