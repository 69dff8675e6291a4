//! Log lines with a priority that systemd understands; plain on a terminal.

/// Writes what this project's crates say to stderr.
pub struct StderrLog {
    /// The program's name, in front of each line.
    program: &'static str,
}

impl StderrLog {
    /// From now on. Other crates are not heard: a library's words are for nobody here.
    pub fn install(program: &'static str) {
        // Fails only if a logger is installed already, and none is.
        let _ = log::set_boxed_logger(Box::new(Self { program }));
        log::set_max_level(log::LevelFilter::Info);
    }
}

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("otpd")
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
            let _ = writeln!(stderr, "{mark}{}: {line}", self.program);
        }
    }

    fn flush(&self) {}
}
