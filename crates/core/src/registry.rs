//! The backends that are linked into this program.

use crate::{Error, Repairer, Result};

/// How a backend registers itself:
///
/// ```ignore
/// inventory::submit! { spokeshave_core::Registration(&Elf) }
/// ```
///
/// The program must name the backend's crate (`use spokeshave_elf as _;`), or the linker drops it.
pub struct Registration(pub &'static dyn Repairer);

inventory::collect!(Registration);

/// The registered backends, sorted by name (the order of `inventory` changes with the build profile).
///
/// # Errors
/// When none is linked, when two have one name, or when two declare one option with different shapes.
pub fn backends() -> Result<Vec<&'static dyn Repairer>> {
    let mut found: Vec<&'static dyn Repairer> = inventory::iter::<Registration>().map(|r| r.0).collect();
    found.sort_by_key(|backend| backend.about().name);
    if found.is_empty() {
        return Err(Error::new("no backend is linked into this program")
            .hint("depend on a backend crate and name it: `use spokeshave_elf as _;`")
            .into());
    }
    for pair in found.windows(2) {
        if let [a, b] = pair
            && a.about().name == b.about().name
        {
            return Err(Error::new(format!("two backends are named `{}`", a.about().name))
                .hint("link only one of them")
                .into());
        }
    }
    let mut options = std::collections::BTreeMap::new();
    for backend in &found {
        for option in backend.about().options {
            let (first, value) = options.entry(option.name).or_insert((backend.about().name, option.value));
            if *value != option.value {
                return Err(Error::new(format!(
                    "backends `{first}` and `{}` declare --{} with different shapes",
                    backend.about().name,
                    option.name
                ))
                .hint("link only one of them")
                .into());
            }
        }
    }
    Ok(found)
}
