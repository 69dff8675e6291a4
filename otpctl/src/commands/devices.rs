//! `devices`, `rename`, `unbind`: what is bound to an account.

use otpd_proto::account;
use otpd_proto::account::Device;
use otpd_proto::account::DevicesParameters;
use otpd_proto::account::RenameParameters;
use otpd_proto::account::Renamed;
use otpd_proto::account::UnbindParameters;
use otpd_proto::account::Unbound;
use serde_json::json;

use super::Session;
use super::proof;
use super::protection;
use super::status;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::when::Clock;

/// Lists devices.
pub(crate) fn list(session: &Session, typed: cli::Devices) -> Result<Exit, Failure> {
    let devices = fetch(session, typed.user, typed.all)?;
    session.output.result(&json!({ "devices": devices }), || text(&devices, &Clock::read()))?;
    Ok(Exit::Ok)
}

fn fetch(session: &Session, user: Option<String>, retired: bool) -> Result<Vec<Device>, Failure> {
    let mut devices: Vec<Device> = Vec::new();
    loop {
        let after = devices.last().map(|device| device.id);
        let parameters = DevicesParameters { user: user.clone(), retired: Some(retired), after };
        let page: account::Devices = session.calls.call(account::DEVICES, &parameters)?;
        let advances = page.devices.last().is_some_and(|last| after.is_none_or(|after| last.id > after));
        devices.extend(page.devices);
        if !page.more {
            return Ok(devices);
        }
        if !advances {
            return Err(super::endless("devices"));
        }
    }
}

fn text(devices: &[Device], clock: &Clock) -> Vec<Line> {
    if devices.is_empty() {
        return vec!["No devices. Bind one: otpctl bind".into()];
    }
    let mut table = Table::new(["ID", "Name", "State", "Codes", "Added", "Last used", "Where"]);
    for device in devices {
        table.row([
            device.id.to_string().into(),
            Line::new().then(Tone::Strong, &device.name),
            state(device, clock),
            settings(device).into(),
            clock.date(device.activated.unwrap_or(device.created)).into(),
            device.last_used.map_or_else(|| "never".to_owned(), |used| clock.when(used)).into(),
            place(device).into(),
        ]);
    }
    table.lines()
}

fn state(device: &Device, clock: &Clock) -> Line {
    match (device.state.as_str(), device.retired) {
        ("active", _) if device.needs_resync => Line::new().then(Tone::Warn, "resync"),
        ("active", _) => Line::new().then(Tone::Good, "active"),
        ("pending", _) => Line::new().then(Tone::Warn, "pending"),
        ("retired", Some(at)) => Line::new().then(Tone::Dim, format!("retired {}", clock.date(at))),
        (other, _) => other.into(),
    }
}

/// Only what differs from what nearly every device has.
fn settings(device: &Device) -> String {
    let mut settings = Vec::new();
    if device.kind != "totp" {
        settings.push(device.kind.clone());
    }
    if device.algorithm != "SHA1" {
        settings.push(device.algorithm.clone());
    }
    if device.digits != 6 {
        settings.push(format!("{} digits", device.digits));
    }
    if device.period != 30 && device.kind == "totp" {
        settings.push(format!("{} s", device.period));
    }
    settings.join(" ")
}

fn place(device: &Device) -> String {
    let parts = [device.last_service.as_deref(), device.last_address.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Renames a device.
pub(crate) fn rename(session: &Session, typed: cli::Rename) -> Result<Exit, Failure> {
    let (user, device, name) =
        typed.parts().ok_or_else(|| Failure::usage("name a device and its new name"))?;
    let code = proof::given(session, &typed.proof)?;
    let renamed: Renamed = proof::with_proof(session, code, |code| {
        let parameters =
            RenameParameters { user: user.clone(), device: device.clone(), name: name.clone(), code };
        session.calls.call(account::RENAME, &parameters)
    })?;
    session.output.result(&renamed, || {
        vec![format!("Device {} is now called \"{}\".", renamed.device.id, renamed.device.name).into()]
    })?;
    Ok(Exit::Ok)
}

/// Removes a device.
pub(crate) fn unbind(session: &Session, typed: cli::Unbind) -> Result<Exit, Failure> {
    let (user, device) = typed.parts().ok_or_else(|| Failure::usage("name a device"))?;
    let code = proof::given(session, &typed.proof)?;
    let unbound: Unbound = proof::with_proof(session, code, |code| {
        let parameters = UnbindParameters { user: user.clone(), device: device.clone(), code };
        session.calls.call(account::UNBIND, &parameters)
    })?;
    let wanted = unbound.remaining == 0 && !session.output.is_json();
    let status = if wanted { Some(status::fetch(session, user)?) } else { None };
    session.output.result(&unbound, || {
        let removed =
            Line::from(format!("\"{}\" is removed; its codes no longer work.", unbound.device.name));
        let left = match (unbound.remaining, &status) {
            (0, Some(status)) => {
                let follows = protection::without_device(status);
                Line::new().then(Tone::Warn, format!("It was the last one. {follows}"))
            }
            (number, _) => format!("{} left.", super::count(number, "device is", "devices are")).into(),
        };
        vec![removed, left]
    })?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unusual_settings_are_shown() {
        let device = |value: serde_json::Value| {
            let mut whole = json!({"id": 1, "name": "n", "state": "active", "kind": "totp", "algorithm": "SHA1",
                "digits": 6, "period": 30, "created": 0, "created_by": "n"});
            whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            settings(&serde_json::from_value(whole).unwrap())
        };
        assert_eq!(device(json!({})), "");
        assert_eq!(device(json!({"algorithm": "SHA256", "digits": 8, "period": 60})), "SHA256 8 digits 60 s");
        assert_eq!(device(json!({"kind": "hotp", "period": 0})), "hotp");
    }
}
