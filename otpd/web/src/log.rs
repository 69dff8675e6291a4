//! Log lines with a priority that systemd understands; plain on a terminal.

/// Writes to stderr.
pub struct StderrLog;

impl StderrLog {
    /// From now on.
    pub fn install() {
        // Fails only if a logger is installed already, and none is.
        let _ = log::set_logger(&Self);
        log::set_max_level(log::LevelFilter::Info);
    }
}

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("otpd_web")
    }

    fn log(&self, record: &log::Record<'_>) {
        use std::io::IsTerminal;
        use std::io::Write;
        if !self.enabled(record.metadata()) {
            return;
        }
        let priority = match record.level() {
            log::Level::Error => 3,
            log::Level::Warn => 4,
            log::Level::Info => 6,
            log::Level::Debug | log::Level::Trace => 7,
        };
        let mut stderr = std::io::stderr().lock();
        let mark = if stderr.is_terminal() { String::new() } else { format!("<{priority}>") };
        for line in record.args().to_string().lines() {
            // A closed stderr is no reason to stop.
            let _ = writeln!(stderr, "{mark}otpd-web: {line}");
        }
    }

    fn flush(&self) {}
}
