//! libpam, as an application calls it: the seven functions that a login needs, and the conversation that they call back.
//!
//! pam_fail_delay needs nothing of us: pam_authenticate and pam_chauthtok themselves return only after the longest delay
//! that a module asked for, so that every refusal takes it, and nobody is told before.

#![expect(unsafe_code, reason = "calls libpam")]

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use otpd_proto::Secret;

/// What a module wants: shown, or shown and answered.
pub(crate) struct Message<'a> {
    /// How it is meant.
    pub(crate) style: MessageStyle,
    /// In whatever encoding.
    pub(crate) text: &'a [u8],
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageStyle {
    /// PAM_PROMPT_ECHO_OFF.
    Hidden,
    /// PAM_PROMPT_ECHO_ON.
    Echoed,
    /// PAM_TEXT_INFO.
    Info,
    /// PAM_ERROR_MSG.
    Error,
    /// PAM_BINARY_PROMPT, PAM_RADIO_TYPE, or whatever comes.
    Other,
}

/// A module gets no answer: PAM_CONV_ERR.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unanswered;

/// The application's side of a conversation.
pub(crate) trait Converse {
    /// One answer for each message, `None` for those that want none.
    fn converse(&mut self, messages: &[Message<'_>]) -> Result<Vec<Option<Secret>>, Unanswered>;
}

/// A number of libpam. Never an enum: a module may return any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_int);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    #[cfg(test)]
    pub(crate) const SYSTEM_ERR: Self = Self(4);
    pub(crate) const PERM_DENIED: Self = Self(6);
    pub(crate) const AUTH_ERR: Self = Self(7);
    pub(crate) const CRED_INSUFFICIENT: Self = Self(8);
    pub(crate) const USER_UNKNOWN: Self = Self(10);
    pub(crate) const MAXTRIES: Self = Self(11);
    pub(crate) const NEW_AUTHTOK_REQD: Self = Self(12);
    pub(crate) const ACCT_EXPIRED: Self = Self(13);
    pub(crate) const CONV_ERR: Self = Self(19);
    pub(crate) const AUTHTOK_ERR: Self = Self(20);
    pub(crate) const AUTHTOK_RECOVERY_ERR: Self = Self(21);
    pub(crate) const AUTHTOK_LOCK_BUSY: Self = Self(22);
    pub(crate) const TRY_AGAIN: Self = Self(24);
    pub(crate) const AUTHTOK_EXPIRED: Self = Self(27);

    fn succeeded(self) -> Result<(), Self> {
        if self == Self::SUCCESS { Ok(()) } else { Err(self) }
    }
}

/// A transaction, from pam_start to [`Self::end`].
pub(crate) struct Transaction<C> {
    handle: *mut c_void,
    status: Code,
    /// A box that libpam calls back with, until pam_end.
    conversation: *mut C,
}

impl<C: Converse> Transaction<C> {
    /// pam_start. Without one, the conversation comes back.
    pub(crate) fn start(service: &CStr, user: &CStr, conversation: C) -> Result<Self, (Code, C)> {
        let conversation = Box::into_raw(Box::new(conversation));
        let conv = Conv { function: converse::<C>, data: conversation.cast() };
        let mut handle = std::ptr::null_mut();
        // SAFETY: both texts are C strings that libpam copies, as it does conv, whose data lives until `end`.
        let code = unsafe { pam_start(service.as_ptr(), user.as_ptr(), &raw const conv, &raw mut handle) };
        if Code(code) == Code::SUCCESS && !handle.is_null() {
            return Ok(Self { handle, status: Code::SUCCESS, conversation });
        }
        // SAFETY: from into_raw above, and without a handle libpam does not call.
        let conversation = unsafe { Box::from_raw(conversation) };
        Err((Code(code), *conversation))
    }

    /// Sets PAM_RHOST: where the person is.
    pub(crate) fn set_remote_host(&mut self, host: &CStr) -> Result<(), Code> {
        self.set(PAM_RHOST, host)
    }

    /// Sets PAM_TTY.
    pub(crate) fn set_terminal(&mut self, name: &CStr) -> Result<(), Code> {
        self.set(PAM_TTY, name)
    }

    /// pam_authenticate, to which an empty password in the user database is none. Returns after the delay that modules
    /// ask for.
    pub(crate) fn authenticate(&mut self) -> Result<(), Code> {
        // SAFETY: the handle is live until `end`, and nobody else uses it.
        self.status = Code(unsafe { pam_authenticate(self.handle, PAM_DISALLOW_NULL_AUTHTOK) });
        self.status.succeeded()
    }

    /// pam_acct_mgmt.
    pub(crate) fn account(&mut self) -> Result<(), Code> {
        // SAFETY: the handle is live until `end`, and nobody else uses it.
        self.status = Code(unsafe { pam_acct_mgmt(self.handle, PAM_DISALLOW_NULL_AUTHTOK) });
        self.status.succeeded()
    }

    /// pam_chauthtok, of a password that has expired.
    pub(crate) fn change_expired_password(&mut self) -> Result<(), Code> {
        // SAFETY: the handle is live until `end`, and nobody else uses it.
        self.status = Code(unsafe { pam_chauthtok(self.handle, PAM_CHANGE_EXPIRED_AUTHTOK) });
        self.status.succeeded()
    }

    /// PAM_USER as it is now: a module may have changed it.
    pub(crate) fn user(&self) -> Option<String> {
        let mut item = std::ptr::null();
        // SAFETY: the handle is live, and the place for the item is one.
        let code = unsafe { pam_get_item(self.handle, PAM_USER, &raw mut item) };
        if Code(code) != Code::SUCCESS || item.is_null() {
            return None;
        }
        // SAFETY: PAM_USER is a C string of the handle, which nothing changes before it is copied.
        let user = unsafe { CStr::from_ptr(item.cast()) };
        user.to_str().ok().map(ToOwned::to_owned)
    }

    /// What only looks at the conversation.
    pub(crate) fn conversation(&self) -> &C {
        // SAFETY: a live box, and libpam, which alone changes it, is not being called.
        unsafe { &*self.conversation }
    }

    /// pam_end: libpam and the modules wipe and free what they have.
    pub(crate) fn end(self) -> C {
        // SAFETY: the handle is live, and ended only here.
        unsafe { pam_end(self.handle, self.status.0) };
        // SAFETY: from into_raw in `start`; nothing calls back after pam_end.
        *unsafe { Box::from_raw(self.conversation) }
    }

    fn set(&mut self, item: c_int, value: &CStr) -> Result<(), Code> {
        // SAFETY: the handle is live, and the text is a C string, which libpam copies.
        Code(unsafe { pam_set_item(self.handle, item, value.as_ptr().cast()) }).succeeded()
    }
}

/// What libpam calls. No panic leaves it.
extern "C" fn converse<C: Converse>(
    count: c_int,
    messages: *mut *const RawMessage,
    out: *mut *mut RawResponse,
    data: *mut c_void,
) -> c_int {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let Some(messages) = read(count, messages) else { return Err(Unanswered) };
        if data.is_null() || out.is_null() {
            return Err(Unanswered);
        }
        // SAFETY: data is the box of `Transaction::start`, which nobody else uses while libpam calls back.
        let conversation = unsafe { &mut *data.cast::<C>() };
        let answers = conversation.converse(&messages)?;
        if answers.len() != messages.len() {
            return Err(Unanswered);
        }
        let responses = Responses::of(&answers)?;
        // SAFETY: not null, and a place for the array.
        unsafe { *out = responses.hand_over() };
        Ok(())
    }));
    match answered {
        Ok(Ok(())) => Code::SUCCESS.0,
        Ok(Err(Unanswered)) | Err(_) => Code::CONV_ERR.0,
    }
}

/// What libpam passed: on Linux an array of pointers.
fn read<'a>(count: c_int, messages: *mut *const RawMessage) -> Option<Vec<Message<'a>>> {
    let count = usize::try_from(count).ok().filter(|count| (1..=MOST_MESSAGES).contains(count))?;
    if messages.is_null() {
        return None;
    }
    // SAFETY: libpam passes `count` pointers, and not null.
    let messages = unsafe { std::slice::from_raw_parts(messages, count) };
    messages.iter().map(|message| read_one(*message)).collect()
}

fn read_one<'a>(message: *const RawMessage) -> Option<Message<'a>> {
    if message.is_null() {
        return None;
    }
    // SAFETY: not null, and a message lives during the call.
    let RawMessage { style, text } = unsafe { message.read() };
    let style = match style {
        1 => MessageStyle::Hidden,
        2 => MessageStyle::Echoed,
        3 => MessageStyle::Error,
        4 => MessageStyle::Info,
        _ => return Some(Message { style: MessageStyle::Other, text: b"" }),
    };
    if text.is_null() {
        return Some(Message { style, text: b"" });
    }
    // SAFETY: of these styles the text is a C string, which lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    Some(Message { style, text })
}

/// The array of responses, which the module frees, with each text in it. Until it is handed over, ours to wipe and free.
struct Responses {
    array: *mut RawResponse,
    count: usize,
}

impl Responses {
    fn of(answers: &[Option<Secret>]) -> Result<Self, Unanswered> {
        // SAFETY: any size; zeroed, so that every text is null.
        let array = unsafe { libc::calloc(answers.len(), size_of::<RawResponse>()) }.cast::<RawResponse>();
        if array.is_null() {
            return Err(Unanswered);
        }
        let mut responses = Self { array, count: answers.len() };
        for (response, answer) in responses.places().iter_mut().zip(answers) {
            let Some(answer) = answer else { continue };
            response.text = copy(answer.expose_secret()).ok_or(Unanswered)?;
        }
        Ok(responses)
    }

    fn places(&mut self) -> &mut [RawResponse] {
        // SAFETY: so many zeroed places were allocated, which are valid responses, and nobody else has them yet.
        unsafe { std::slice::from_raw_parts_mut(self.array, self.count) }
    }

    fn hand_over(self) -> *mut RawResponse {
        std::mem::ManuallyDrop::new(self).array
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        for response in self.places().iter().filter(|response| !response.text.is_null()) {
            // SAFETY: a C string of `copy`.
            let length = unsafe { libc::strlen(response.text) };
            // SAFETY: so many bytes are there, and ours.
            unsafe { libc::explicit_bzero(response.text.cast(), length) };
            // SAFETY: from calloc, and freed only here.
            unsafe { libc::free(response.text.cast()) };
        }
        // SAFETY: from calloc, and freed only here.
        unsafe { libc::free(self.array.cast()) };
    }
}

/// A C string for who frees it; none of what has a NUL in it.
fn copy(text: &str) -> Option<*mut c_char> {
    if text.contains('\0') {
        return None;
    }
    // SAFETY: room for the text and its end; zeroed, so that the end is there.
    let room = unsafe { libc::calloc(text.len().saturating_add(1), 1) }.cast::<u8>();
    if room.is_null() {
        return None;
    }
    // SAFETY: both have that many bytes, and one of them was just allocated.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), room, text.len()) };
    Some(room.cast())
}

#[repr(C)]
struct RawMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct RawResponse {
    text: *mut c_char,
    code: c_int,
}

#[repr(C)]
struct Conv {
    function: extern "C" fn(c_int, *mut *const RawMessage, *mut *mut RawResponse, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_item(handle: *const c_void, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
}

const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_DISALLOW_NULL_AUTHTOK: c_int = 0x1;
const PAM_CHANGE_EXPIRED_AUTHTOK: c_int = 0x20;
/// PAM_MAX_NUM_MSG.
const MOST_MESSAGES: usize = 32;

#[cfg(test)]
mod tests;
