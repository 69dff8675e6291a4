//! Receiving bytes, and a descriptor with them if the caller passed one.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

use nix::sys::socket::ControlMessageOwned;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::UnixAddr;
use nix::sys::socket::recvmsg;

/// Receives into `buffer`: how many bytes, 0 at the end, and the last descriptor that came with them. There is room for
/// one: of more the kernel closes the rest. `wait` is whether to wait for the first byte.
///
/// # Errors
/// As of recvmsg(2).
#[expect(unsafe_code, reason = "descriptors passed over a socket are bare numbers")]
pub(crate) fn receive(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
    wait: bool,
) -> std::io::Result<(usize, Option<OwnedFd>)> {
    let mut room = nix::cmsg_space!(std::os::fd::RawFd);
    let mut bytes = [IoSliceMut::new(buffer)];
    let mut flags = MsgFlags::MSG_CMSG_CLOEXEC;
    flags.set(MsgFlags::MSG_DONTWAIT, !wait);
    let received = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut bytes, Some(&mut room), flags)?;
    let mut descriptor = None;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            for number in numbers {
                // SAFETY: unix(7): the kernel has just made this descriptor for us, and nobody else knows its number.
                descriptor = Some(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    Ok((received.bytes, descriptor))
}
