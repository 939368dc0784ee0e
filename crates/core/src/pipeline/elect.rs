//! Which backend works on an input.

use super::guard::guarded;
use crate::{Error, Repairer, Result};

type Backend = &'static dyn Repairer;

/// The backend that answers for a wheel of these platform tags, or for the platform asked for. `None` for a wheel
/// of any platform.
///
/// # Errors
/// When no backend or more than one answers for them.
pub fn by_tags(backends: &[Backend], platforms: &[String], plat: Option<&str>) -> Result<Option<Backend>> {
    let asked: Vec<&str> = match plat {
        Some(plat) => vec![plat],
        None => platforms.iter().map(String::as_str).filter(|tag| *tag != "any").collect(),
    };
    let mut elected: Option<Backend> = None;
    for tag in asked {
        let Some(backend) = backends.iter().copied().find(|backend| answers(*backend, tag)) else {
            let linked: Vec<&str> = backends.iter().map(|b| b.about().name).collect();
            return Err(Error::new(format!("no backend answers for the platform tag `{tag}`"))
                .hint(format!("this program has: {}", linked.join(", ")))
                .into());
        };
        match elected {
            Some(first) if first.about().name != backend.about().name => {
                return Err(Error::new(format!(
                    "the platform tags belong to two backends: {} and {}",
                    first.about().name,
                    backend.about().name
                ))
                .hint("say which one is meant with --plat")
                .into());
            }
            _ => elected = Some(backend),
        }
    }
    Ok(elected)
}

/// Whether the platform tag is one of the backend's.
pub fn answers(backend: Backend, tag: &str) -> bool {
    backend.about().tag_prefixes.iter().any(|prefix| tag.starts_with(prefix))
}

/// The backend that recognizes a file of `len` bytes that begins with `head`; of several, the first in `backends`.
///
/// # Errors
/// When a backend panics.
pub fn by_head(backends: &[Backend], head: &[u8], len: u64) -> Result<Option<Backend>> {
    for backend in backends {
        if guarded(*backend, |backend| Ok(backend.recognizes(head, len)))? {
            return Ok(Some(*backend));
        }
    }
    Ok(None)
}
