//! What the dynamic section and the version needs are to say afterwards.

use object::elf;
use spokeshave_core::{Error, Result};

use crate::change::{Changes, PathTag};
use crate::image::{Dynamic, Image, Verneed};

/// The value of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// As it was.
    Old(u64),
    /// A new string: index into [`Goal::texts`].
    Text(usize),
}

/// An entry of the dynamic section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// `d_tag`.
    pub tag: elf::DynamicTag,
    /// `d_val`.
    pub value: Value,
    /// Where it stood in the old file; `None` for an added one.
    pub offset: Option<u64>,
}

/// The dynamic section and the version needs as they are to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Goal {
    /// The entries, without the closing `DT_NULL`.
    pub entries: Vec<Entry>,
    /// The new strings.
    pub texts: Vec<Vec<u8>>,
    /// The version needs whose file is renamed: offset of the record, index of the text.
    pub files: Vec<(u64, usize)>,
    /// Version needs that go with the reference they belong to.
    pub dropped: Vec<Verneed>,
    /// The version needs that stay, in chain order. Only filled when some are dropped.
    pub kept: Vec<Verneed>,
}

impl Goal {
    /// `None` when the loader's view is already what `changes` ask for.
    pub fn of(image: &Image<'_>, changes: &Changes) -> Result<Option<Self>> {
        let Some(dynamic) = &image.dynamic else {
            let path = changes.search_path.as_ref().is_some_and(|path| !path.entries.is_empty());
            let asked = changes.soname.is_some() || path;
            return Ok(asked.then(Goal::default));
        };
        let mut goal = Goal { entries: old_entries(dynamic), ..Goal::default() };
        let before = goal.entries.clone();
        goal.set_needed(image, &changes.needed)?;
        if let Some(soname) = &changes.soname {
            goal.set_soname(image, soname)?;
        }
        goal.set_search_path(image, changes)?;
        if goal.texts.iter().any(|text| text.contains(&0)) {
            return Err(Error::new("a new name contains a NUL byte").into());
        }
        let same = goal.entries == before && goal.files.is_empty() && goal.dropped.is_empty();
        Ok((!same).then_some(goal))
    }

    fn text(&mut self, text: &str) -> usize {
        match self.texts.iter().position(|known| known == text.as_bytes()) {
            Some(index) => index,
            None => {
                self.texts.push(text.into());
                self.texts.len() - 1
            }
        }
    }

    fn set_needed(&mut self, image: &Image<'_>, needed: &[(String, Option<String>)]) -> Result<()> {
        if needed.is_empty() {
            return Ok(());
        }
        let change =
            |name: &[u8]| needed.iter().find(|(old, _)| old.as_bytes() == name).map(|(old, new)| (old, new));
        let mut entries = Vec::with_capacity(self.entries.len());
        for mut entry in std::mem::take(&mut self.entries) {
            if entry.tag == elf::DT_NEEDED
                && let Value::Old(offset) = entry.value
            {
                match change(image.string(offset)?) {
                    Some((_, None)) => continue,
                    Some((old, Some(new))) if old != new => entry.value = Value::Text(self.text(new)),
                    _ => {}
                }
            }
            entries.push(entry);
        }
        self.entries = entries;
        for need in image.version_needs()? {
            match change(image.string(need.file.into())?) {
                Some((_, None)) => self.dropped.push(need),
                Some((old, Some(new))) if old != new => {
                    let text = self.text(new);
                    self.files.push((need.offset, text));
                    self.kept.push(need);
                }
                _ => self.kept.push(need),
            }
        }
        if !self.dropped.is_empty() {
            self.drop_version_needs(image)?;
        }
        Ok(())
    }

    /// The entries that lead to the version tables, once some version needs are gone.
    fn drop_version_needs(&mut self, image: &Image<'_>) -> Result<()> {
        let Some(first) = self.kept.first() else {
            // With DT_VERSYM but neither needs nor definitions, glibc would index a table that it never made.
            let defines = self.entries.iter().any(|entry| entry.tag == elf::DT_VERDEF);
            self.entries.retain(|entry| {
                let needs = entry.tag == elf::DT_VERNEED || entry.tag == elf::DT_VERNEEDNUM;
                !needs && (defines || entry.tag != elf::DT_VERSYM)
            });
            return Ok(());
        };
        let address = image
            .vaddr_of(first.offset)
            .ok_or_else(|| Error::new("version needs are not inside of a segment").offset(first.offset))?;
        let count = self.kept.len() as u64;
        for entry in &mut self.entries {
            if entry.tag == elf::DT_VERNEED {
                entry.value = Value::Old(address);
            } else if entry.tag == elf::DT_VERNEEDNUM {
                entry.value = Value::Old(count);
            }
        }
        Ok(())
    }

    fn set_soname(&mut self, image: &Image<'_>, soname: &str) -> Result<()> {
        match self.entries.iter().rposition(|entry| entry.tag == elf::DT_SONAME) {
            Some(at) => self.set_text(image, at, soname),
            None => {
                let value = Value::Text(self.text(soname));
                self.entries.push(Entry { tag: elf::DT_SONAME, value, offset: None });
                Ok(())
            }
        }
    }

    /// Makes `text` the value of the entry at an index, if it is not that already.
    fn set_text(&mut self, image: &Image<'_>, at: usize, text: &str) -> Result<()> {
        let Some(entry) = self.entries.get(at) else { return Ok(()) };
        let same = matches!(entry.value, Value::Old(offset) if image.string(offset)? == text.as_bytes());
        if !same {
            let value = Value::Text(self.text(text));
            if let Some(entry) = self.entries.get_mut(at) {
                entry.value = value;
            }
        }
        Ok(())
    }

    fn set_search_path(&mut self, image: &Image<'_>, changes: &Changes) -> Result<()> {
        let Some(path) = &changes.search_path else { return Ok(()) };
        let is_path = |entry: &Entry| entry.tag == elf::DT_RPATH || entry.tag == elf::DT_RUNPATH;
        if path.entries.is_empty() {
            self.entries.retain(|entry| !is_path(entry));
            return Ok(());
        }
        let tag = match path.tag {
            PathTag::Rpath => elf::DT_RPATH,
            PathTag::Runpath => elf::DT_RUNPATH,
        };
        let text = path.entries.join(":");
        let Some(at) = self.entries.iter().position(is_path) else {
            let value = Value::Text(self.text(&text));
            self.entries.push(Entry { tag, value, offset: None });
            return Ok(());
        };
        if let Some(entry) = self.entries.get_mut(at) {
            entry.tag = tag;
        }
        let mut index = 0;
        self.entries.retain(|entry| {
            index += 1;
            index - 1 <= at || !is_path(entry)
        });
        self.set_text(image, at, &text)
    }
}

fn old_entries(dynamic: &Dynamic) -> Vec<Entry> {
    let entry = |old: &crate::image::DynEntry| Entry {
        tag: old.tag,
        value: Value::Old(old.value),
        offset: Some(old.offset),
    };
    dynamic.entries.iter().map(entry).collect()
}
