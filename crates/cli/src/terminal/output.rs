//! Stdout, where a reader that went away is no error.

use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;
use spokeshave_core::Result;

/// A stream for reports. After its reader is gone (`| head`) it swallows what is written, so that the work itself
/// goes on.
pub struct Output {
    to: Box<dyn Write>,
}

impl Output {
    /// Stdout, with colours where they are wanted.
    pub fn stdout() -> Self {
        Output { to: Box::new(UntilBroken { to: anstream::stdout().lock(), broken: false }) }
    }

    /// Writes a report.
    ///
    /// # Errors
    /// When the stream can't take it (disk full).
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.to.write_all(text.as_bytes()).context("stdout")
    }

    /// Writes an object as one line of JSON.
    ///
    /// # Errors
    /// When the stream can't take it.
    pub fn json(&mut self, object: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_string(object).context("a report can't be written as JSON")?;
        line.push('\n');
        self.text(&line)
    }

    /// Hands on the output of another program, byte for byte and at once: to stdout, or to stderr when stdout is for
    /// JSON.
    ///
    /// # Errors
    /// When the stream can't take it.
    pub fn pass(&mut self, bytes: &[u8], json: bool) -> Result<()> {
        let to: &mut dyn Write = if json { &mut io::stderr() } else { &mut io::stdout() };
        match to.write_all(bytes).and_then(|()| to.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("stdout"),
            _ => Ok(()),
        }
    }

    /// Writes what is still in buffers.
    ///
    /// # Errors
    /// When the stream can't take it.
    pub fn finish(mut self) -> Result<()> {
        self.to.flush().context("stdout")
    }
}

struct UntilBroken<W> {
    to: W,
    broken: bool,
}

impl<W> UntilBroken<W> {
    fn or_swallow<T>(&mut self, result: io::Result<T>, swallowed: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.broken = true;
                Ok(swallowed)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for UntilBroken<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Ok(bytes.len());
        }
        let written = self.to.write(bytes);
        self.or_swallow(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.or_swallow(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_broken_pipe_is_no_error_and_a_full_disk_is() {
        let mut gone = UntilBroken { to: Fails(io::ErrorKind::BrokenPipe), broken: false };
        assert!(gone.write_all(b"x").is_ok() && gone.flush().is_ok());
        let mut full = UntilBroken { to: Fails(io::ErrorKind::StorageFull), broken: false };
        assert!(full.write_all(b"x").is_err() && full.flush().is_err());
    }
}
